//! Photos from phones: read within bounds, turned upright, and written anew in two sizes for the network; the file
//! itself stays at the school. Only the picture goes on, in all three: the place, the telephone and the time that a
//! phone puts into its files (EXIF, XMP, notes of the maker) stay behind.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use img_parts::jpeg::{Jpeg, markers};
use img_parts::png::Png;
use img_parts::{Bytes, ImageEXIF};
use node::blobs::wanted::{BLOB_BYTES, COPY_BYTES, PREVIEW_BYTES};
use node::office::PhotoFiles;

/// The longer side of what is kept: handwriting on a sign-in sheet can be read.
const SIDE: u32 = 1600;
/// Sides and qualities of the copy for the network, the best first, until it fits.
const COPY: [(u32, u8); 5] = [(SIDE, 78), (SIDE, 62), (1400, 55), (1200, 48), (900, 40)];
/// The same of the preview: one sees who and what.
const PREVIEW: [(u32, u8); 5] = [(480, 62), (480, 45), (400, 40), (320, 36), (200, 30)];
/// The most pixels that are read: phones make 12 to 64 million. More would take an office PC's memory.
const PIXELS: u64 = 70_000_000;
/// The longest side that is read.
const LONGEST: u32 = 20_000;
/// The most memory that a decoder may ask for.
const MEMORY: u64 = 320 * 1024 * 1024;

/// One picture at a time in the whole process, each may take some 300 MB.
static READING: Mutex<()> = Mutex::new(());

/// Why a photo was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("This is no photo that can be read; JPEG and PNG can")]
    NoPhoto,
    #[error("This picture is too large ({0} million pixels); take a smaller one")]
    TooLarge(u64),
}

impl PictureError {
    pub(crate) fn zh(&self) -> String {
        match self {
            PictureError::NoPhoto => {
                "这个文件不是能读的照片（支持 JPEG、PNG）。苹果手机请在“设置—相机—格式”里选“兼容性最佳”"
                    .to_owned()
            }
            PictureError::TooLarge(millions) => {
                format!("照片太大（{millions} 百万像素），请用手机把分辨率调小再拍")
            }
        }
    }
}

/// The photo in the sizes in which it is kept, each without anything but the picture.
pub(crate) fn sizes(bytes: &[u8]) -> Result<PhotoFiles, PictureError> {
    let _one = READING.lock().unwrap_or_else(PoisonError::into_inner);
    let unreadable = |_| PictureError::NoPhoto;
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| PictureError::NoPhoto)?;
    let Some(format @ (ImageFormat::Jpeg | ImageFormat::Png)) = reader.format() else {
        return Err(PictureError::NoPhoto);
    };
    // The sides are asked for below, where the words say what is wrong; the memory is the decoder's own bound.
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS || width.max(height) > LONGEST || decoder.total_bytes() > MEMORY {
        return Err(PictureError::TooLarge(pixels / 1_000_000));
    }
    // A file whose orientation cannot be read is shown as it lies.
    let upright = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if width.max(height) > SIDE {
        // Halved coarsely first, then finely: a third of the time on an old PC, and no difference to see.
        if width.max(height) > SIDE * 3 {
            picture = picture.thumbnail(SIDE * 2, SIDE * 2);
        }
        picture = picture.resize(SIDE, SIDE, FilterType::Triangle);
    }
    if let Some(upright) = upright {
        picture.apply_orientation(upright);
    }
    let picture = on_white(&picture);
    let copy = fitting(&picture, &COPY, COPY_BYTES)?;
    // Of a picture that was small already nothing is lost in the copy.
    let original = match bytes.len() > copy.len() {
        true => stripped(bytes, format, upright).filter(|file| file.len() as u64 <= BLOB_BYTES),
        false => None,
    };
    Ok(PhotoFiles {
        preview: fitting(&picture, &PREVIEW, PREVIEW_BYTES)?,
        copy,
        original,
    })
}

/// An upright JPEG of at most `most` bytes, in the first of these sides and qualities that fits; a picture of nothing
/// but noise may be larger in the last.
fn fitting(picture: &DynamicImage, sizes: &[(u32, u8)], most: usize) -> Result<Vec<u8>, PictureError> {
    let mut jpeg = Vec::new();
    for (side, quality) in sizes {
        let made = match picture.width().max(picture.height()) > *side {
            true => &picture.resize(*side, *side, FilterType::Triangle),
            false => picture,
        };
        jpeg.clear();
        JpegEncoder::new_with_quality(&mut jpeg, *quality)
            .encode_image(made)
            .map_err(|_| PictureError::NoPhoto)?;
        if jpeg.len() <= most {
            break;
        }
    }
    Ok(jpeg)
}

/// The file as it was taken, without what tells more than the picture; `None` if it cannot be taken apart.
fn stripped(bytes: &[u8], format: ImageFormat, upright: Option<Orientation>) -> Option<Vec<u8>> {
    let whole = Bytes::copy_from_slice(bytes);
    let mut out = Vec::new();
    if format == ImageFormat::Png {
        let mut png = Png::from_bytes(whole).ok()?;
        png.chunks_mut()
            .retain(|chunk| !PNG_WORDS.contains(&chunk.kind()));
        png.encoder().write_to(&mut out).ok()?;
        return Some(out);
    }
    let mut jpeg = Jpeg::from_bytes(whole).ok()?;
    jpeg.segments_mut().retain(|segment| match segment.marker() {
        // The colours: JFIF's head, the ICC profile, and Adobe's mark of how they are stored.
        markers::APP0 | markers::APP14 => true,
        markers::APP2 => segment.contents().starts_with(b"ICC_PROFILE\0"),
        markers::COM => false,
        marker => !(markers::APP0..=markers::APP15).contains(&marker),
    });
    if let Some(upright) = upright.filter(|upright| *upright != Orientation::NoTransforms) {
        jpeg.set_exif(Some(exif(upright).into()));
    }
    jpeg.encoder().write_to(&mut out).ok()?;
    Some(out)
}

/// Chunks of a PNG that hold words, times and EXIF.
const PNG_WORDS: [[u8; 4]; 5] = [*b"tEXt", *b"zTXt", *b"iTXt", *b"eXIf", *b"tIME"];

/// The shortest EXIF that says how a picture is turned (TIFF 6.0: big endian, one entry, tag 0x0112).
fn exif(upright: Orientation) -> Vec<u8> {
    let mut tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00".to_vec();
    tiff.push(upright.to_exif());
    tiff.extend([0; 6]);
    tiff
}

/// A JPEG knows no transparency: what is transparent in a PNG becomes paper.
fn on_white(picture: &DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return DynamicImage::ImageRgb8(picture.to_rgb8());
    }
    let mut paper = image::RgbaImage::from_pixel(
        picture.width(),
        picture.height(),
        image::Rgba([255, 255, 255, 255]),
    );
    image::imageops::overlay(&mut paper, &picture.to_rgba8(), 0, 0);
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(paper).to_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        // The left half is dark, so that one can see how it was turned.
        let picture = RgbImage::from_fn(width, height, |x, _| {
            if x < width / 2 {
                Rgb([10, 10, 10])
            } else {
                Rgb([240, 240, 240])
            }
        });
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        bytes
    }

    /// The same file with what a phone puts into it: turned by 90 degrees, and where it was taken.
    fn from_phone(jpeg: &[u8]) -> Vec<u8> {
        let mut tiff = b"MM\x00\x2a\x00\x00\x00\x08".to_vec();
        // Two entries: orientation 6, and an image description with a place.
        tiff.extend([0, 2]);
        tiff.extend([0x01, 0x0e, 0, 2, 0, 0, 0, 20, 0, 0, 0, 38]);
        tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]);
        tiff.extend([0, 0, 0, 0]);
        tiff.extend(b"N30.1234 E103.4567\0\0");
        let mut exif = b"Exif\0\0".to_vec();
        exif.extend(tiff);
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let mut file = jpeg[..2].to_vec();
        file.extend([0xff, 0xe1, length[0], length[1]]);
        file.extend(exif);
        file.extend(&jpeg[2..]);
        file
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_photo_is_made_small_and_upright_and_its_place_stays_behind() {
        let file = from_phone(&jpeg(3200, 2400));
        assert!(contains(&file, b"E103.4567") && contains(&file, b"Exif"));
        let kept = sizes(&file).unwrap();
        let original = kept.original.unwrap();
        assert!(!contains(&kept.copy, b"Exif") && !contains(&kept.preview, b"Exif"));
        for file in [&kept.copy, &kept.preview, &original] {
            assert!(!contains(file, b"E103"));
        }
        // The file as it was taken is turned by whoever shows it.
        let taken = image::load_from_memory(&original).unwrap();
        assert_eq!((taken.width(), taken.height()), (3200, 2400));
        let mut decoder = ImageReader::new(Cursor::new(&original))
            .with_guessed_format()
            .unwrap()
            .into_decoder()
            .unwrap();
        assert_eq!(decoder.orientation().unwrap(), Orientation::Rotate90);
        let picture = image::load_from_memory(&kept.preview).unwrap();
        assert_eq!((picture.width(), picture.height()), (360, 480));
        let picture = image::load_from_memory(&kept.copy).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (1200, 1600));
        // Turned clockwise, the left half is on top.
        assert!(picture.get_pixel(600, 200)[0] < 60 && picture.get_pixel(600, 1400)[0] > 190);
    }

    #[test]
    fn a_small_one_keeps_its_size_and_transparency_becomes_paper() {
        let picture = RgbaImage::from_pixel(60, 40, Rgba([0, 0, 0, 0]));
        let mut png = Vec::new();
        picture
            .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
            .unwrap();
        let kept = image::load_from_memory(&sizes(&png).unwrap().copy)
            .unwrap()
            .to_rgb8();
        assert_eq!(kept.dimensions(), (60, 40));
        assert!(kept.get_pixel(30, 20)[0] > 250);
    }

    /// Five megabytes as a phone takes them: a page of small writing, which JPEG cannot make smaller by much.
    #[test]
    fn five_megabytes_become_fifteen_and_three_hundred_kilobytes() {
        let mut seed = 7_u32;
        let picture = RgbImage::from_fn(4000, 3000, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 27) as u8;
            let ink = (x / 5 + y / 9) % 3 == 0 && (x / 40 + y / 25) % 4 != 0;
            Rgb([if ink { 40 + noise } else { 215 + noise }; 3])
        });
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, 92)
            .encode_image(&picture)
            .unwrap();
        assert!(file.len() > 5_000_000, "{}", file.len());
        let kept = sizes(&file).unwrap();
        assert!(kept.preview.len() <= PREVIEW_BYTES, "{}", kept.preview.len());
        assert!(kept.copy.len() <= COPY_BYTES, "{}", kept.copy.len());
        let original = image::load_from_memory(&kept.original.unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!(
            original,
            image::load_from_memory(&file).unwrap().to_rgb8(),
            "nothing of it is lost"
        );
    }

    #[test]
    fn bombs_and_what_is_no_photo_are_refused_with_words() {
        // A PNG head that promises 30,000 × 30,000 pixels in a few bytes.
        let mut bomb = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut head = b"IHDR".to_vec();
        head.extend(30_000_u32.to_be_bytes());
        head.extend(30_000_u32.to_be_bytes());
        head.extend([8, 2, 0, 0, 0]);
        bomb.extend(13_u32.to_be_bytes());
        bomb.extend(&head);
        bomb.extend(crc(&head).to_be_bytes());
        bomb.extend(0_u32.to_be_bytes());
        bomb.extend(b"IDAT");
        bomb.extend(crc(b"IDAT").to_be_bytes());
        let refused = sizes(&bomb);
        assert!(matches!(refused, Err(PictureError::TooLarge(900))), "{refused:?}");
        let whole = jpeg(80, 60);
        for bad in [&b""[..], b"PK\x03\x04", b"GIF89a", b"<svg/>", &whole[..40]] {
            let refused = sizes(bad);
            assert!(matches!(refused, Err(PictureError::NoPhoto)), "{refused:?}");
        }
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |mut crc, byte| {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0xedb8_8320
                } else {
                    crc >> 1
                }
            });
            crc
        })
    }
}
