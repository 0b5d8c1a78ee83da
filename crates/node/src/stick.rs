//! A USB stick as a clerk uses it: plugged in, one button, out again. The same stick may serve many schools.
//!
//! ```text
//! 研修U盘/先看这里.txt                        what this is and what to do
//! 研修U盘/在路上多久.txt                      how old each file is, for the programs (`stick/ages.rs`)
//! 研修U盘/送县里/青石小学-20260102-1之1.yx    for a device of the county office
//! 研修U盘/带给学校/青石小学/云岭县-….yx       for everybody else, a folder each
//! ```
//! Names are for people; what a file is stands in its head, so that renaming or moving one does no harm. A file is
//! written beside, synced and renamed. Nothing is taken off the stick before it is stored here, and nothing here
//! is let go of because it is on a stick: a stick that is full, cannot be written to or gets lost, loses nothing.

mod ages;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sync::NodeId;

use crate::bundle::{self, HEAD_BYTES, Head, Taken};
use crate::directory::{file, write_whole};
use crate::mail::{self, Along, Delivered, Item};
use crate::{Error, Node};
use ages::Ages;

/// The folder on the stick.
pub const FOLDER: &str = "研修U盘";
/// What goes to the county.
const TO_COUNTY: &str = "送县里";
/// What goes to schools and mentors.
const TO_SCHOOLS: &str = "带给学校";
const READ_ME: &str = "先看这里.txt";

/// Files of a stick that are looked at: a county's whole mail is some hundreds.
pub(crate) const FILES: usize = 5_000;

/// Folders in folders that are looked into.
const DEPTH: usize = 3;

/// A drive that may be a stick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drive {
    /// Where it is.
    pub path: PathBuf,
    /// Our folder is on it.
    pub used: bool,
}

impl Drive {
    /// Where it is, as people write it.
    pub fn place(&self) -> String {
        self.path.display().to_string()
    }
}

/// Drives that look like sticks, those that were used before first: what is mounted under `/media`, `/run/media`
/// and `/mnt`; on Windows the drives from D on (which of them can be removed, the standard library cannot tell).
pub fn drives() -> Vec<Drive> {
    let mut found = Vec::new();
    #[cfg(windows)]
    for letter in b'D'..=b'Z' {
        let path = PathBuf::from(format!("{}:\\", char::from(letter)));
        if path.is_dir() {
            found.push(path);
        }
    }
    #[cfg(unix)]
    for (base, depth) in [("/media", 2), ("/run/media", 2), ("/mnt", 1)] {
        mounted(Path::new(base), depth, &mut found);
    }
    let drive = |path: PathBuf| Drive {
        used: path.join(FOLDER).is_dir(),
        path,
    };
    let mut drives: Vec<Drive> = found.into_iter().map(drive).collect();
    drives.sort_by_key(|d| (!d.used, d.path.clone()));
    drives
}

/// Folders below `base` that are another file system than what they stand in.
#[cfg(unix)]
fn mounted(base: &Path, depth: usize, out: &mut Vec<PathBuf>) {
    use std::os::unix::fs::MetadataExt;
    let (Ok(above), Ok(entries)) = (fs::metadata(base), fs::read_dir(base)) else {
        return;
    };
    for path in entries.filter_map(|e| Some(e.ok()?.path())).take(100) {
        match fs::metadata(&path) {
            Ok(m) if m.is_dir() && m.dev() != above.dev() => out.push(path),
            Ok(m) if m.is_dir() && depth > 1 => mounted(&path, depth - 1, out),
            _ => {}
        }
    }
}

/// How a stick is used.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The largest file.
    pub max: usize,
    /// At the county: for every device that has something to get, not only for those that wait for an answer.
    pub everyone: bool,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes {
            max: bundle::MAX,
            everyone: false,
        }
    }
}

/// A file that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// For whom, as people call it.
    pub to: String,
    /// Its size.
    pub bytes: u64,
    /// Somebody else's.
    pub carried: bool,
}

/// What was done with a stick.
#[derive(Debug, Default)]
pub struct Report {
    /// Taken up here.
    pub taken: Vec<Taken>,
    /// Files that could not be read or taken, and why; they stay on the stick.
    pub failed: Vec<(PathBuf, Error)>,
    /// Bundles for others that this computer carries on from now.
    pub carried: usize,
    /// Written.
    pub written: Vec<Written>,
    /// Files taken off the stick: taken up, answered or out of date.
    pub removed: usize,
    /// Why writing ended; everything is still here.
    pub unwritten: Option<Error>,
    /// For whom something could not be written, as people call them, and why; that of the others is on the stick.
    pub missed: Vec<(String, Error)>,
    /// Files that were not looked at: there are too many.
    pub passed_over: usize,
}

/// Does everything: takes up what is for this node, takes along what is for others, and writes what is to go out.
pub fn exchange(node: &Node, dir: &Path, wishes: &Wishes) -> Result<Report, Error> {
    fs::read_dir(dir).map_err(file(dir))?;
    let root = root_of(dir);
    mail::let_go(node)?;
    let mut report = Report::default();
    let found = look(dir, &root, &mut report);
    let ages = Ages::read(&root);
    let mut there = Vec::new();
    for f in found {
        match take_one(node, &f, &ages, &mut report) {
            Ok(true) => remove(&f.path, &mut report),
            Ok(false) => there.push(f),
            Err(error) => {
                report.failed.push((f.path.clone(), error));
                there.push(f);
            }
        }
    }
    for device in recipients(node, &root, wishes)? {
        mail::prepare(node, &device, wishes.max)?;
    }
    mail::prepare_all(node, wishes.max)?;
    // Answers on the stick let go of what they answer, also here on the stick.
    let answered: BTreeSet<(String, NodeId)> = there
        .iter()
        .flat_map(|f| {
            bundle::answered_names(&f.head)
                .into_iter()
                .map(|n| (n, f.head.to))
        })
        .collect();
    there.retain(|f| {
        let gone = answered.contains(&(f.name.clone(), f.head.from));
        if gone {
            remove(&f.path, &mut report);
        }
        !gone
    });
    if let Err(error) = write_all(node, &root, &there, &ages, &mut report) {
        report.unwritten = Some(error);
    }
    if !report.all_written() {
        return Ok(report);
    }
    let ours: BTreeSet<String> = mail::list(node)?.into_iter().map(|i| i.name).collect();
    // Only now: what replaces them is on the stick.
    for f in there
        .iter()
        .filter(|f| f.head.from == node.id() && !ours.contains(&f.name))
    {
        remove(&f.path, &mut report);
    }
    Ok(report)
}

/// Takes up one file or all below a folder, and writes nothing.
pub fn take(node: &Node, path: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    let (found, ages) = match path.is_dir() {
        true => (
            look(path, &root_of(path), &mut report),
            Ages::read(&root_of(path)),
        ),
        false => (vec![head_of(path)?], Ages::default()),
    };
    for f in found {
        if let Err(error) = take_one(node, &f, &ages, &mut report) {
            report.failed.push((f.path, error));
        }
    }
    Ok(report)
}

/// Our folder, also when it was named itself.
fn root_of(dir: &Path) -> PathBuf {
    match dir.file_name().is_some_and(|n| n == FOLDER) {
        true => dir.to_path_buf(),
        false => dir.join(FOLDER),
    }
}

/// A bundle on the stick.
struct Found {
    path: PathBuf,
    head: Head,
    name: String,
}

fn head_of(path: &Path) -> Result<Found, Error> {
    let mut beginning = Vec::with_capacity(HEAD_BYTES);
    fs::File::open(path)
        .and_then(|f| f.take(HEAD_BYTES as u64).read_to_end(&mut beginning))
        .map_err(file(path))?;
    let (head, name, _) = Head::read(&beginning)?;
    Ok(Found {
        path: path.to_path_buf(),
        head,
        name,
    })
}

/// All bundles directly on the stick and in our folder, in the order in which they were made.
fn look(dir: &Path, root: &Path, report: &mut Report) -> Vec<Found> {
    let mut paths = Vec::new();
    if root != dir {
        walk(dir, 0, &mut paths, report);
    }
    walk(root, DEPTH, &mut paths, report);
    let mut found = Vec::new();
    for path in paths {
        match head_of(&path) {
            Ok(f) => found.push(f),
            Err(error) => report.failed.push((path, error)),
        }
    }
    found.sort_by_key(|f| (f.head.from, f.head.number, f.head.part));
    found
}

fn walk(dir: &Path, depth: usize, out: &mut Vec<PathBuf>, report: &mut Report) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // A link could lead anywhere.
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        let text = entry.file_name().to_string_lossy().to_lowercase();
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, out, report);
        } else if kind.is_file() && text.ends_with(".yx.part") {
            // Of a stick that was pulled out while it was written to.
            let _ = fs::remove_file(&path);
        } else if kind.is_file() && text.ends_with(".yx") {
            match out.len() < FILES {
                true => out.push(path),
                false => report.passed_over += 1,
            }
        }
    }
}

/// Whether the file has done its work and may go.
fn take_one(node: &Node, f: &Found, ages: &Ages, report: &mut Report) -> Result<bool, Error> {
    if f.head.from == node.id() {
        return Ok(false);
    }
    let Some(bytes) = mail::read_bounded(&f.path)? else {
        return Err(bundle::BundleError::TooLarge.into());
    };
    let along = Along {
        age: ages.of(node, &f.name),
        ..Along::default()
    };
    match mail::deliver_along(node, &bytes, along)? {
        Delivered::Taken(taken) => {
            report.taken.push(*taken);
            return Ok(true);
        }
        Delivered::Kept => report.carried += 1,
        // An old one is carried no further, and stays: how old it is stands in a list that nobody has signed, the stick may
        // hold the last of it, and whom it is for takes it at any age.
        Delivered::Old | Delivered::Known => {}
    }
    Ok(false)
}

fn remove(path: &Path, report: &mut Report) {
    // A stick that cannot be written to keeps it, and it is recognised the next time.
    if fs::remove_file(path).is_ok() {
        report.removed += 1;
    }
}

/// Those whom the county writes to besides: everybody, or those for whom somebody has made a folder.
fn recipients(node: &Node, root: &Path, wishes: &Wishes) -> Result<Vec<NodeId>, Error> {
    if !node.is_county() {
        return Ok(Vec::new());
    }
    let folders: BTreeSet<String> = match fs::read_dir(root.join(TO_SCHOOLS)) {
        Ok(entries) => entries
            .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(_) => BTreeSet::new(),
    };
    let schools: HashMap<String, String> = crate::office::organisations(node)?
        .into_iter()
        .map(|o| (o.id, o.name))
        .collect();
    let mut all = Vec::new();
    for d in node.devices() {
        let name = schools.get(&d.scope).cloned().unwrap_or_default();
        let asked = folders.contains(&safe(&d.label)) || (!name.is_empty() && folders.contains(&safe(&name)));
        let other = d.node != node.id() && !d.revoked && !node.is_county_store(&d.node);
        if other && (wishes.everyone || asked) && !all.contains(&d.node) {
            all.push(d.node);
        }
    }
    Ok(all)
}

fn write_all(
    node: &Node,
    root: &Path,
    there: &[Found],
    ages: &Ages,
    report: &mut Report,
) -> Result<(), Error> {
    let here: BTreeSet<&str> = there.iter().map(|f| f.name.as_str()).collect();
    let mut taken: BTreeSet<PathBuf> = there.iter().map(|f| f.path.clone()).collect();
    write_read_me(root)?;
    let roll = node.roll();
    let items = mail::list(node)?;
    // Before the files that it speaks of: one that nothing is said of counts as new.
    ages.write(node, root, &here, &items)?;
    for item in items {
        let own = item.from == node.id();
        // A device that was put out could still open what was sealed for it.
        if !roll.is_member(&item.to)
            || here.contains(item.name.as_str())
            || (own && item.changes == 0 && item.handed)
        {
            continue;
        }
        let Some(bytes) = mail::read(node, &item.name)? else {
            continue;
        };
        let to = node.device_label(&item.to);
        let folder = match node.is_county_store(&item.to) {
            true => root.join(TO_COUNTY),
            false => root.join(TO_SCHOOLS).join(safe(&to)),
        };
        let path = free_path(node, &folder, &item, |p| taken.contains(p));
        match write_whole(&path, "part", &bytes) {
            Err(error) if is_of_one_file(&error) => {
                if report.missed.iter().all(|(name, _)| *name != to) {
                    report.missed.push((to, error));
                }
                continue;
            }
            written => written?,
        }
        taken.insert(path.clone());
        report.written.push(Written {
            path,
            to,
            bytes: item.bytes,
            carried: !own,
        });
        if own {
            mail::set_handed(node, &item.name)?;
        }
    }
    Ok(())
}

/// Whether an error concerns one file or folder, such as one that somebody has put in another's place: a stick that is full or
/// cannot be written to takes nothing of anybody.
pub(crate) fn is_of_one_file(error: &Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error {
        Error::File { source, .. } => {
            !matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
        }
        _ => false,
    }
}

/// Where a bundle may be written in a folder, by a name for people.
fn free_path(node: &Node, folder: &Path, item: &Item, taken: impl Fn(&PathBuf) -> bool) -> PathBuf {
    let label = safe(&node.device_label(&item.from));
    let name = format!("{label}-{}-{}之{}", day(item.made), item.part, item.parts);
    let mut path = folder.join(format!("{name}.yx"));
    let mut n = 2;
    while taken(&path) || path.exists() {
        path = folder.join(format!("{name}-{n}.yx"));
        n += 1;
    }
    path
}

/// Writes a bundle of the mail into a folder, for people to send as they like; where.
pub fn export(node: &Node, folder: &Path, item: &Item) -> Result<PathBuf, Error> {
    let bytes = mail::read(node, &item.name)?.ok_or(bundle::BundleError::NoBundle)?;
    let path = free_path(node, folder, item, |_| false);
    write_whole(&path, "part", &bytes)?;
    Ok(path)
}

fn write_read_me(root: &Path) -> Result<(), Error> {
    let path = root.join(READ_ME);
    let text = "\u{feff}研修U盘：在没有网络的学校和县里之间带送研修记录。\r\n\r\n\
        怎么用：插到装有“研修”的电脑上，打开“同步”页里的“U盘与捎带”，按“一键收发”，看到“可以拔下U盘”再拔。\r\n\
        然后把U盘带到县里（或别的学校），在那里同样做一次。回执和审核结果会写回U盘，带回来再做一次，就能看到“已到县”。\r\n\r\n\
        文件都已封好，只有收件的那台电脑能打开，丢了U盘也不会泄露。请不要改动、打开里面的文件；U盘上的其他文件不受影响。\r\n\
        县里要给某所学校带东西：在“带给学校”里建一个以学校名命名的文件夹，再插到县里的电脑上即可。\r\n\r\n\
        This folder carries sealed training records between computers without a network. Plug the stick in, open\r\n\
        \"USB stick\" on the Sync page, press the one button, and pull it out when the page says so.\r\n";
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    write_whole(&path, "part", text.as_bytes())
}

/// A name that FAT32 and Windows take, in some forty letters.
pub(crate) fn safe(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| match c {
            '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '－',
            c if c.is_control() => ' ',
            c => c,
        })
        .take(40)
        .collect();
    // Windows drops dots and spaces at the end: two names would be one.
    match clean.trim_matches([' ', '.']) {
        "" => "无名".into(),
        name if is_a_device(name) => format!("_{name}"),
        name => name.into(),
    }
}

/// Names that are devices to Windows in any folder and with any ending: nothing can be made under them
/// (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
fn is_a_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let upper = stem.to_ascii_uppercase();
    let port = ["COM", "LPT"].iter().find_map(|port| upper.strip_prefix(port));
    matches!(
        upper.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) || port.is_some_and(|n| matches!(n, "¹" | "²" | "³") || matches!(n.as_bytes(), [b'0'..=b'9']))
}

/// A day as eight digits, by Chinese time wherever this runs: part of a file's name, for people.
fn day(unix: i64) -> String {
    let days = unix.saturating_add(8 * 3_600).div_euclid(86_400);
    let date = records::date::from_excel_serial(days.saturating_add(25_569), false);
    date.map_or_else(|| "00000000".into(), |d| d.to_string().replace('-', ""))
}

impl Report {
    /// All that was to go out is on the stick.
    pub fn all_written(&self) -> bool {
        self.unwritten.is_none() && self.missed.is_empty()
    }

    /// What was done, line by line, in Chinese and English; the last line says whether the stick may go.
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for t in &self.taken {
            out.push(t.words());
        }
        for (path, error) in &self.failed {
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            out.push((
                format!("没有收“{name}”：{}", error.zh()),
                format!("not taken: {name}: {error}"),
            ));
        }
        if self.carried > 0 {
            let n = self.carried;
            out.push((
                format!("替别的学校捎带 {n} 个数据包（本机打不开，见网或插别的U盘时送走）"),
                format!("{n} bundles of others are carried on (this computer cannot open them)"),
            ));
        }
        for w in &self.written {
            let kb = w.bytes.div_ceil(1024);
            let (zh, en) = match w.carried {
                true => ("捎带的，", "carried, "),
                false => ("", ""),
            };
            out.push((
                format!("写到U盘：{zh}给“{}”，{kb} KB", w.to),
                format!("written: {en}for {}, {kb} KB", w.to),
            ));
        }
        for (to, error) in &self.missed {
            out.push((
                format!("给“{to}”的没有写到U盘：{}", error.zh()),
                format!("not written: for {to}: {error}"),
            ));
        }
        if self.passed_over > 0 {
            let n = self.passed_over;
            out.push((
                format!("U盘上文件太多，有 {n} 个没有看；请再按一次"),
                format!("{n} files were passed over; do it again"),
            ));
        }
        out.push(match &self.unwritten {
            Some(error) => cannot_write(error),
            None if !self.missed.is_empty() => (
                "有的没有写到U盘，见上，都还在本机，没有丢失；其余的已写实。可以拔下U盘，换一个U盘再按一次。".into(),
                "Some was not written, see above; it is still here, and all else is on the stick. It can be removed; \
                 try another one."
                    .into(),
            ),
            None if self.taken.is_empty() && self.written.is_empty() && self.carried == 0 => (
                "没有要收的，也没有要送的。可以拔下U盘。".into(),
                "Nothing to take and nothing to send. The stick can be removed.".into(),
            ),
            None => (
                "做完了，文件已写实。可以拔下U盘。".into(),
                "Done, and all is on the stick. It can be removed.".into(),
            ),
        });
        out
    }
}

fn cannot_write(error: &Error) -> (String, String) {
    let kind = match error {
        Error::File { source, .. } => source.kind(),
        _ => std::io::ErrorKind::Other,
    };
    match kind {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => (
            "U盘满了，没有写完；记录都还在本机，没有丢失。请腾出空间或换一个U盘再按一次。可以拔下U盘。".into(),
            "The stick is full and not all was written; everything is still here. Make room or take another one. \
             The stick can be removed."
                .into(),
        ),
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => (
            "U盘写不进去（写保护或没有权限）；能收的已收下，要送的还在本机，没有丢失。请拨开写保护或换一个U盘。可以拔下U盘。"
                .into(),
            "The stick cannot be written to; what could be taken was taken, and everything to send is still here. \
             Switch off its write protection or take another one. The stick can be removed."
                .into(),
        ),
        _ => (
            format!("写U盘时出错：{}；记录都还在本机，没有丢失。请换一个U盘再试。", error.zh()),
            format!("writing to the stick failed: {error}; everything is still here; try another one"),
        ),
    }
}

impl Taken {
    /// One line for people.
    pub fn words(&self) -> (String, String) {
        let (part_zh, part_en) = match self.parts {
            0 | 1 => (String::new(), String::new()),
            n => (
                format!("（第 {} 份，共 {n} 份）", self.part),
                format!(" (part {} of {n})", self.part),
            ),
        };
        let kb = self.bytes.div_ceil(1024);
        let mut zh = format!("收到“{}”的数据包{part_zh}，{kb} KB", self.from);
        let mut en = format!("a bundle of {}{part_en}, {kb} KB", self.from);
        if self.again {
            zh += "，以前收过，没有重复计入";
            en += ", taken before: no harm done";
        }
        let mut add = |n: usize, zh_words: &str, en_words: &str| {
            if n > 0 {
                zh += &format!("，{}", zh_words.replace("{}", &n.to_string()));
                en += &format!(", {n} {en_words}");
            }
        };
        add(self.stored, "新收改动 {} 条", "new changes");
        add(
            self.held,
            "{} 条在等前面的内容或县里核实",
            "wait for what comes before them",
        );
        add(
            self.faulty,
            "{} 条有问题没有收（见“同步”页）",
            "were not taken (see the Sync page)",
        );
        add(self.statements, "名册更新 {} 条", "statements about devices");
        add(
            self.arrived as usize,
            "本校 {} 条记录现已到县",
            "records of ours are now at the county",
        );
        add(
            self.refused,
            "对方有 {} 个包没能打开，会重新封",
            "bundles of ours did not open there",
        );
        if self.stored == 0 && self.arrived == 0 && self.statements == 0 && !self.again {
            zh += "，没有新内容";
            en += ", nothing new";
        }
        (zh, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_every_stick_takes() {
        assert_eq!(safe("青石小学 办公室电脑"), "青石小学 办公室电脑");
        assert_eq!(safe("a/b:c*d?.. "), "a－b－c－d－");
        assert_eq!(safe(" .. "), "无名");
        for name in [
            "CON",
            "con",
            "Prn",
            "AUX",
            "nul",
            "COM1",
            "com9",
            "LPT1",
            "lpt9",
            "CON.txt",
            "nul.tar.gz",
            "aux .x",
            "COM²",
            "CONIN$",
        ] {
            assert_eq!(safe(name), format!("_{name}"));
        }
        assert_eq!(safe(" con. "), "_con");
        for name in [
            "CONG",
            "console",
            "COM10",
            "COM",
            "LPT",
            "com1 电脑",
            "A.CON",
            "常规",
            "COM－1",
        ] {
            assert_eq!(safe(name), name);
        }
        assert_eq!(safe(&"长".repeat(300)).chars().count(), 40);
        assert_eq!(day(1_767_283_200), "20260102");
        assert_eq!(day(0), "19700101");
        assert_eq!(day(i64::MAX), "00000000");
    }
}
