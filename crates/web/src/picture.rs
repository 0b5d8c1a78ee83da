//! Photos from phones: read within bounds, turned upright, made small, and written anew. Only the picture itself
//! goes on: the place, the telephone and the time that a phone puts into its files (EXIF) stay behind.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// The longer side of what is kept: handwriting on a sign-in sheet can be read.
const SIDE: u32 = 1600;
/// JPEG quality; with [`SIDE`] some 300 KB a photo.
const QUALITY: u8 = 78;
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

/// The photo as it is kept: an upright JPEG of at most [`SIDE`] pixels a side, without anything but the picture.
pub(crate) fn small(bytes: &[u8]) -> Result<Vec<u8>, PictureError> {
    let _one = READING.lock().unwrap_or_else(PoisonError::into_inner);
    let unreadable = |_| PictureError::NoPhoto;
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| PictureError::NoPhoto)?;
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png)) {
        return Err(PictureError::NoPhoto);
    }
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
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&on_white(&picture))
        .map_err(unreadable)?;
    Ok(jpeg)
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
        let kept = small(&file).unwrap();
        assert!(!contains(&kept, b"E103") && !contains(&kept, b"Exif"));
        let picture = image::load_from_memory(&kept).unwrap().to_rgb8();
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
        let kept = image::load_from_memory(&small(&png).unwrap()).unwrap().to_rgb8();
        assert_eq!(kept.dimensions(), (60, 40));
        assert!(kept.get_pixel(30, 20)[0] > 250);
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
        let refused = small(&bomb);
        assert!(matches!(refused, Err(PictureError::TooLarge(900))), "{refused:?}");
        let whole = jpeg(80, 60);
        for bad in [&b""[..], b"PK\x03\x04", b"GIF89a", b"<svg/>", &whole[..40]] {
            let refused = small(bad);
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
