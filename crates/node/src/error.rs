//! What can go wrong at a node, in words that say what to do next. Pages translate by variant.

use std::path::PathBuf;

use records::FieldError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A form has faults; nothing was written.
    #[error("{}", faults(.0))]
    Invalid(Vec<FieldError>),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The network.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A file of the data directory.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory holds no node.
    #[error("{0} holds no yanxiu data yet; run `yanxiu init` first")]
    NotInitialised(PathBuf),
    /// The directory holds a node already.
    #[error("{0} holds yanxiu data already; choose another --data directory or use this one")]
    AlreadyInitialised(PathBuf),
    /// The device key file is damaged.
    #[error("{0} is no device key; restore it from a backup, or enrol this computer as a new device")]
    BadKey(PathBuf),
    /// The node may not write a document.
    #[error("this device may not write {0}: its grants do not cover it (see `yanxiu status`)")]
    NotTheWriter(String),
    /// A record of a kind that belongs into another sort of document.
    #[error("a record of kind {kind} does not belong into {document}")]
    Misplaced {
        /// The kind.
        kind: String,
        /// The document.
        document: String,
    },
    /// A device has a role that does not go with the new one.
    #[error("this device is approved already as {0}; revoke it and enrol it anew to change that")]
    HasRole(String),
    /// A revoked device is to be approved again.
    #[error(
        "the device {0} was revoked, which cannot be undone; set that computer up anew and send its new request"
    )]
    WasRevoked(String),
    /// A device is to become the PC of a second school.
    #[error(
        "this device is the PC of {0} already; revoke it first, or see whether two requests were mixed up"
    )]
    OtherSchool(String),
    /// One device asks for two schools.
    #[error(
        "this device asks for {0} as well; keep the request of the right school and take the other off the stick"
    )]
    TwoSchools(String),
    /// A request names no school, and lies in no school's folder.
    #[error(
        "the request names no school and lies in no school's folder; approve it by itself, choosing the school"
    )]
    NamesNoSchool,
    /// What was copied reads differently.
    #[error("{0} reads differently from what was written: the stick may be bad; take another one")]
    NotCopied(PathBuf),
    /// Two programs of one name.
    #[error("two programs are called {0:?}; rename one")]
    TwoPrograms(String),
    /// An auditor's device has decided on claims of the school whose PC it is to be.
    #[error(
        "this device has decided on claims of that school; as its PC those decisions would count no more; enrol another device"
    )]
    HasDecided,
    /// A device of the county office cannot be put out by itself.
    #[error("this is the county office's own device; revoking it would leave the county without one")]
    OwnDevice,
    /// The node is not enrolled.
    #[error("this device is not enrolled in a county yet; run `yanxiu enrol request`")]
    NotEnrolled,
    /// The node was revoked.
    #[error("this device was revoked by the county; what it writes no longer counts")]
    Revoked,
    /// An enrolment code or file cannot be read.
    #[error("this is no enrolment {0}: letters are missing or wrong; copy it whole, or use the file")]
    BadCode(&'static str),
    /// Some of the pictures of an answer are not there.
    #[error(
        "the answer has {of} pictures, and number {missing} is missing; scan all of them, and paste them together"
    )]
    MissingPart {
        /// How many there are.
        of: usize,
        /// Which are missing.
        missing: String,
    },
    /// An enrolment answer does not fit.
    #[error("the answer does not fit this device: {0}")]
    WrongAnswer(&'static str),
    /// A sealed bundle cannot be made, taken or carried.
    #[error(transparent)]
    Bundle(#[from] crate::bundle::BundleError),
    /// A credit statement is not one of this county.
    #[error(transparent)]
    Credential(#[from] crate::credential::CredentialError),
    /// A backup cannot be made or put back.
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    /// Only the county does this.
    #[error("only the county's device can do this")]
    NotTheCounty,
    /// A school is unknown.
    #[error("no school is called {0:?}; `yanxiu status` lists them, `yanxiu import` brings the roster")]
    NoSuchSchool(String),
    /// Several schools fit.
    #[error("several schools fit {0:?}; give the whole name or the school code")]
    ManySchools(String),
    /// The roll has no room.
    #[error("the county's roll is full; ask for a newer version of yanxiu")]
    RollFull,
    /// A document could not be read though its changes were admitted.
    #[error("the document {0} cannot be read; run `yanxiu status` and send the county its list")]
    Unreadable(String),
    /// The machine gave no randomness.
    #[error("the operating system gave no random numbers")]
    Random,
    /// Hashing a password failed.
    #[error("the password could not be hashed")]
    Hashing,
    /// A typed or scanned address is this node's own.
    #[error("{0:?} is this computer's own address; enter it on the other one")]
    OwnAddress(String),
    /// A typed address is wrong.
    #[error("{0:?} is no address; write host:port, such as 192.168.1.10:4433")]
    BadAddress(String),
}

impl Error {
    /// The fault of the disk or the database behind it, if it is one.
    pub fn trouble(&self) -> Option<store::Trouble> {
        match self {
            // Transparent: their own errors are no sources.
            Error::Store(e) => store::Trouble::of(e),
            Error::File { source, .. } => store::Trouble::of(source),
            other => store::Trouble::of(other),
        }
    }

    /// The same in Chinese, for a person at a command line or page; details of the machine stay as they are.
    pub fn zh(&self) -> String {
        match self {
            Error::Invalid(list) => list.iter().map(|f| f.zh.clone()).collect::<Vec<_>>().join("；"),
            Error::Store(e) => match self.trouble() {
                Some(trouble) => format!("{}（{e}）", trouble_words(trouble).0),
                None => format!("数据库出错：{e}"),
            },
            Error::Net(e) => format!("网络出错：{e}"),
            Error::File { path, source } => match self.trouble() {
                Some(trouble) => format!("{}（{}：{source}）", trouble_words(trouble).0, path.display()),
                None => format!("文件 {} 出错：{source}", path.display()),
            },
            Error::NotInitialised(dir) => {
                format!("{} 里还没有研修的数据；请先运行 yanxiu init", dir.display())
            }
            Error::AlreadyInitialised(dir) => {
                format!(
                    "{} 里已有研修的数据；请直接使用，或用 --data 另选目录",
                    dir.display()
                )
            }
            Error::BadKey(path) => {
                format!(
                    "{} 不是设备密钥；请从备份恢复，或把本机作为新设备入网",
                    path.display()
                )
            }
            Error::NotTheWriter(doc) => format!("本机无权写 {doc}；请看 yanxiu status 里的角色"),
            Error::Misplaced { kind, document } => format!("{kind} 类的记录不能写进 {document}"),
            Error::HasRole(roles) => {
                format!("这台设备已批准为 {roles}；要更改，请先撤销，再让它重新入网")
            }
            Error::WasRevoked(device) => {
                format!("设备 {device} 已被撤销，不能恢复；请在那台电脑上重新初始化，再交新的申请")
            }
            Error::OtherSchool(school) => {
                format!("这台设备已经是“{school}”的电脑；请先撤销，或查一查两份申请是不是放混了")
            }
            Error::TwoSchools(other) => {
                format!("这台设备同时还申请了“{other}”；请留下正确的那份申请，把另一份从U盘上删去")
            }
            Error::NamesNoSchool => {
                "申请里没有写学校，也不在某所学校的文件夹里；请单独批准，并选好学校".into()
            }
            Error::NotCopied(path) => {
                format!("{} 写进去和读出来的不一样：U盘可能坏了，请换一个", path.display())
            }
            Error::TwoPrograms(name) => format!("有两个程序都叫“{name}”；请把其中一个改名"),
            Error::HasDecided => {
                "这台设备审核过该校的学分；再作该校的电脑，那些审核就都不算了。请换一台设备入网".into()
            }
            Error::OwnDevice => "这是县中心自己的设备，撤销后全县将无法批准设备，不能这样做".into(),
            Error::NotEnrolled => "本机还没有入网；请运行 yanxiu enrol request".into(),
            Error::Revoked => "本机已被县里撤销，写的内容不再计入；请联系县级管理员".into(),
            Error::MissingPart { of, missing } => {
                format!("批复的二维码共 {of} 张，还缺第 {missing} 张；请全部扫完，一起贴进来")
            }
            Error::BadCode("invitation") => {
                "这不是入网邀请：有字母缺失或写错；请整段复制，或用U盘上的“入网邀请.txt”".into()
            }
            Error::BadCode("answer") => "这不是批复：有字母缺失或写错；请整段复制，或用批复文件".into(),
            Error::BadCode(_) => "这不是申请：有字母缺失或写错；请整段复制，或用申请文件".into(),
            Error::WrongAnswer(why) => format!("这份批复不适用于本机（{why}）；请向县里重要一份"),
            Error::Bundle(e) => e.zh(),
            Error::Credential(e) => e.zh(),
            Error::Backup(e) => e.zh(),
            Error::NotTheCounty => "只有县级设备能做这件事".into(),
            Error::NoSuchSchool(name) => format!("没有叫“{name}”的学校；请先导入花名册，或核对名称"),
            Error::ManySchools(name) => format!("有几所学校都符合“{name}”；请写全称或学校标识码"),
            Error::Unreadable(doc) => format!("文档 {doc} 无法读取；请把 yanxiu status 的内容发给县级管理员"),
            Error::RollFull => "全县名册已满；请升级程序".into(),
            Error::Random => "系统没有给出随机数".into(),
            Error::Hashing => "密码无法处理".into(),
            Error::OwnAddress(text) => format!("“{text}”是本机自己的地址；请到另一台电脑上填"),
            Error::BadAddress(text) => format!("“{text}”不是地址；请写 主机:端口，如 192.168.1.10:4433"),
        }
    }
}

/// What a fault of the disk or the database means and what to do, in Chinese and English.
pub fn trouble_words(trouble: store::Trouble) -> (&'static str, &'static str) {
    match trouble {
        store::Trouble::Full => (
            "磁盘已满，新的登记存不下；已保存的不受影响。请清理磁盘或换大的磁盘，腾出空间后自动恢复；不要删研修的数据目录",
            "the disk is full and nothing new can be saved; what was saved is safe. Make room, and it goes on by itself; do not delete yanxiu's data directory",
        ),
        store::Trouble::ReadOnly => (
            "磁盘是只读的或没有写的权限，新的登记存不下；已保存的不受影响。请检查磁盘（出错后系统会把它改为只读）和目录权限，再重新启动本程序",
            "the disk is read-only or may not be written: nothing new can be saved, and what was saved is safe. Check the disk (the system makes a failing one read-only) and the rights, then start the program again",
        ),
        store::Trouble::Damaged => (
            "数据库有损坏的页，已停止写入，以免再有损失。请停下本程序，复制整个数据目录留底，运行 yanxiu verify 查看，再用 yanxiu restore 恢复最近的备份",
            "the database has damaged pages and is written no more. Stop the program, keep a copy of the whole data directory, look with `yanxiu verify`, and put the newest backup back with `yanxiu restore`",
        ),
        store::Trouble::Disk => (
            "磁盘读写出错，新的登记可能存不下；已保存的以回执为准。请检查磁盘和接线，尽快备份到别的磁盘",
            "the disk gives errors and nothing new may be saved. Check disk and cables, and make a backup to another disk soon",
        ),
    }
}

fn faults(list: &[FieldError]) -> String {
    list.iter()
        .map(|f| format!("{}: {} / {}", f.field, f.zh, f.en))
        .collect::<Vec<_>>()
        .join("; ")
}
