//! The command line. Every text stands in Chinese and English.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// 研修：乡村学校教师研修记录，离线可用，见网即同步。
/// Yanxiu: teachers' training records that work offline and sync by themselves.
#[derive(Parser, Debug)]
#[command(name = "yanxiu", version, arg_required_else_help = true)]
pub struct Cli {
    /// 数据目录（默认按系统惯例） / data directory (default: the platform's own)
    #[arg(long, global = true, env = "YANXIU_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// 配置文件，全部可省（默认：数据目录下 yanxiu.toml） / configuration file, all of it optional
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// 运行日志的格式（写到标准错误；多少由 YANXIU_LOG 定） / format of the log on standard error
    #[arg(long, global = true, env = "YANXIU_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// 给人看 / for people
    #[default]
    Text,
    /// 每行一个 JSON 对象 / one JSON object a line
    Json,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// 初始化本机：县级用 --county，学校或专家用 --name / set up this computer
    Init(Init),
    /// 运行：打开网页，自动同步 / run: serve the pages and sync
    Serve(Serve),
    /// 入网：申请、批准、核对、撤销 / enrolment: request, approve, compare, revoke
    #[command(subcommand)]
    Enrol(Enrol),
    /// 生成一次性链接，建立新账号（忘记密码、换人时用） / a one-time link for a new account
    SetupLink,
    /// 本机状态：入网、待传、往来、问题 / where this node stands
    Status,
    /// 诊断：连不上时，查出原因和办法 / why peers do not see each other, and what to do
    Doctor {
        /// 输出 JSON / print JSON
        #[arg(long)]
        json: bool,
    },
    /// 备份：程序运行中也可以做，写完即核对 / back up, also beside the running program; verified when written
    Backup(Backup),
    /// 恢复：核对备份，写入一个新目录；缺的内容联系上以后自动补回 / put a backup back into a new directory
    Restore {
        /// 备份（含 manifest.json 的文件夹） / the backup: the folder that holds manifest.json
        backup: PathBuf,
        /// 新的数据目录，须不存在或为空 / the new data directory; it must not exist or be empty
        dir: PathBuf,
    },
    /// 核验：重算每个签名、哈希和视图，逐项比对（有问题时退出码 14） / verify: every signature, hash and view anew
    Verify,
    /// 重建视图和索引：数据来自改动，什么也不会丢 / make views and indexes anew; nothing can be lost
    Rebuild,
    /// 隔离与截断：哪些设备、哪份文档、为什么 / quarantine: which devices, where and why
    Quarantine {
        /// 只看这一件，并写出证据 / one case, with its evidence written to a file
        #[arg(long, value_name = "FILE", requires = "case")]
        evidence: Option<PathBuf>,
        /// 编号 / the case's number
        case: Option<String>,
    },
    /// 县：截断一件隔离，各台设备自动改用同一份 / county: settle a quarantine by a cut
    Cut(Cut),
    /// 数据包：没有网络时用文件带送，封好的，只有收件设备能打开 / sealed bundles, to be carried as files
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// U盘一键收发：收下给本机的，捎上给别人的，写好要送的 / a USB stick: take, carry and write in one go
    Stick(StickArgs),
    /// 县：入网U盘，每校一个文件夹（程序、邀请、花名册，已批准设备的批复和起始数据） / county: a stick with a folder for every school
    Kit(Kit),
    /// 县：检查并发布一份表单或规则（TOML 文件） / county: check a form or rule set and put it into force
    Publish(Publish),
    /// 学分证明：县里签发，谁都可以不联网核验 / credit statements: issue one (county), check one (anybody)
    #[command(subcommand)]
    Statement(StatementCommand),
    /// 县：接口令牌，给县里的其他系统用 / county: tokens of the JSON API
    #[command(subcommand)]
    Token(TokenCommand),
    /// 导入花名册（XLSX 或 CSV），先预览 / import a roster, with a preview first
    Import(Import),
    /// 导出花名册或学时学分登记表 / export the roster or the credit register
    Export(Export),
    /// 练习县：和演示一样的县，每页都标明是练习，与真的县不通 / a county to learn in, marked on every page
    Practice(Demo),
    /// 演示：一个县中心和三所学校，全在本机 / a hub and three schools on this computer
    Demo(Demo),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Init {
    /// 建一个县（县级机构用），写县名 / found a county, by its name
    #[arg(long, value_name = "县名")]
    pub county: Option<String>,
    /// 学校或专家的电脑，写设备名，如“青石小学 办公室电脑” / a school's or mentor's computer, by its name
    #[arg(long, value_name = "设备名")]
    pub name: Option<String>,
}

#[derive(Args, Debug, Default)]
pub struct Serve {
    /// 同步监听地址（UDP） / sync address (UDP)
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// 县级：告诉各校的地址 host:port / hub: the address that schools will dial
    #[arg(long, value_name = "HOST:PORT")]
    pub publish: Option<String>,
    /// 网页地址（默认 127.0.0.1:8780） / page address
    #[arg(long, value_name = "ADDR")]
    pub web: Option<SocketAddr>,
    /// 允许局域网内其他电脑打开网页 / let other computers on the LAN open the pages
    #[arg(long)]
    pub lan: bool,
    /// 监控地址：/metrics、/health/live、/health/ready（默认不开） / figures and health (default: none)
    #[arg(long, value_name = "ADDR")]
    pub ops: Option<SocketAddr>,
    /// 不用 mDNS 找邻居 / do not look for neighbours by mDNS
    #[arg(long)]
    pub no_mdns: bool,
}

#[derive(Subcommand, Debug)]
pub enum Enrol {
    /// 学校：生成入网申请（代码、二维码或文件） / school: make a request
    Request {
        /// 县中心地址 host:port，有网时直接送达 / the hub's address, to send it by network
        #[arg(long, value_name = "HOST:PORT")]
        hub: Option<String>,
        /// 写成文件 / write it to a file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// 县：列出等待批准的设备 / county: list devices that wait
    List,
    /// 县：批准一台设备，双方核对数字 / county: approve a device, comparing digits
    Approve(Approve),
    /// 学校：收下县里的批复（文件或代码） / school: take the county's answer
    Accept {
        /// 批复文件或代码 / answer file or code
        answer: String,
        /// 已核对的数字；不写则询问 / the compared digits; asked for otherwise
        #[arg(long, value_name = "DIGITS")]
        digits: Option<String>,
    },
    /// 学校：照U盘上本校的入网文件夹加入：先留下申请，批复来了再运行一次 / school: join by its folder on the county's stick; run it again with the answer
    Join {
        /// U盘上本校的文件夹 / the school's folder on the stick
        folder: PathBuf,
        /// 设备名；不写则用学校名 / the device's name
        #[arg(long, value_name = "设备名")]
        name: Option<String>,
        /// 已核对的数字；不写则询问 / the compared digits; asked for otherwise
        #[arg(long, value_name = "DIGITS")]
        digits: Option<String>,
    },
    /// 学校：网上收到批复后，核对数字并确认 / school: confirm after comparing the digits
    Confirm {
        /// 已核对的数字；不写则询问 / the compared digits; asked for otherwise
        #[arg(long, value_name = "DIGITS")]
        digits: Option<String>,
    },
    /// 县：一台设备上最多可能有什么（遗失时用，撤销以后也能看） / county: what a device holds at most
    Held {
        /// 设备代码，至少前八位 / the device's id, at least eight letters
        device: String,
    },
    /// 县：撤销一台设备（遗失、停用） / county: put a device out
    Revoke {
        /// 设备代码，至少前八位 / the device's id, at least eight letters
        device: String,
        /// 不再询问 / do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub struct Kit {
    /// 写到哪个文件夹，如U盘上的“研修入网” / where to, such as a folder on the stick
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// 只为这一台（设备代码至少前八位，或设备名） / for this device alone
    #[arg(long, value_name = "设备", conflicts_with_all = ["school", "roster"])]
    pub only: Option<String>,
    /// 只装这些学校（名称或代码，可写多次；默认全部） / these schools alone
    #[arg(long, value_name = "学校")]
    pub school: Vec<String>,
    /// 程序文件，可写多次，如 Windows 版（默认：正在运行的这个程序） / program files, such as the one for Windows (default: this one)
    #[arg(long, value_name = "FILE", conflicts_with = "no_program")]
    pub program: Vec<PathBuf>,
    /// 不带程序 / without a program
    #[arg(long)]
    pub no_program: bool,
    /// 全县花名册（XLSX 或 CSV）：每校只得到本校的行 / the county's roster: each school gets its own rows
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Approve {
    /// 申请代码、申请文件或等待名单中的前几位 / request code, file, or first letters from the list
    #[arg(required_unless_present = "all")]
    pub request: Option<String>,
    /// 成批：U盘带回来的申请文件，或放着它们的文件夹，列成一张表一次批准 / many at once: the request files that came back, or folders with them
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with_all = ["request", "school", "mentor", "county", "auditor", "replaces", "label", "digits", "out", "qr"])]
    pub all: Vec<PathBuf>,
    /// 成批时批准哪些：all，或表中的编号如 1,3-5；不写则询问 / which of them: all, or their numbers; asked for otherwise
    #[arg(long, value_name = "1,3-5", requires = "all")]
    pub pick: Option<String>,
    /// 学校名称或代码：这是该校的电脑 / the school whose computer it is
    #[arg(long, value_name = "学校", required_unless_present_any = ["mentor", "county", "auditor", "replaces", "all"])]
    pub school: Option<String>,
    /// 代替哪台坏了或丢了的设备（代码至少前八位）：接它的职责，它随即撤销 / the dead or lost device whose place it takes, which is revoked
    #[arg(long, value_name = "旧设备", conflicts_with_all = ["school", "mentor", "county", "auditor"])]
    pub replaces: Option<String>,
    /// 送教专家代号（不写姓名）；再用 --schools 列学校 / a mentor's code (never a name)
    #[arg(long, value_name = "代号", requires = "schools")]
    pub mentor: Option<String>,
    /// 专家负责的学校，逗号分隔 / the mentor's schools
    #[arg(long, value_name = "学校,…", value_delimiter = ',')]
    pub schools: Vec<String>,
    /// 县级管理设备 / a county office device
    #[arg(long)]
    pub county: bool,
    /// 县级审核设备 / a county auditor's device
    #[arg(long)]
    pub auditor: bool,
    /// 设备名 / the device's name
    #[arg(long, value_name = "设备名")]
    pub label: Option<String>,
    /// 已核对的数字；不写则询问 / the compared digits; asked for otherwise
    #[arg(long, value_name = "DIGITS")]
    pub digits: Option<String>,
    /// 批复写成文件 / write the answer to a file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// 批复显示成二维码，供手机扫（屏幕够宽时自动显示） / show the answer as QR pictures (by itself on a wide terminal)
    #[arg(long)]
    pub qr: bool,
}

#[derive(Subcommand, Debug)]
pub enum BundleCommand {
    /// 生成要带走的数据包 / make what is to be carried
    Make {
        /// county（县里）、设备名或代码、学校名称或代码 / county, a device, or a school
        #[arg(long = "for", value_name = "RECIPIENT")]
        to: String,
        /// 写到哪个文件夹 / where to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// 每个文件最大多少，如 8M / the largest file, such as 8M
        #[arg(long, value_name = "SIZE")]
        max: Option<String>,
    },
    /// 收下数据包：文件或文件夹 / take up bundles: files or folders
    Take {
        /// 文件或文件夹 / files or folders
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// 在途的数据包：本机的和替别人捎带的 / bundles on their way, own and carried
    List,
}

#[derive(Args, Debug)]
pub struct Backup {
    /// 写到哪个文件夹，最好在别的磁盘（默认用配置里的） / where to, best on another disk (default: as configured)
    #[arg(value_name = "TARGET")]
    pub target: Option<PathBuf>,
    /// 只留最近几份（默认全留） / keep only so many, the newest (default: all)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// 只核对一份已有的备份，不写 / check a backup that is there, write nothing
    #[arg(long, value_name = "BACKUP", conflicts_with_all = ["target", "keep"])]
    pub check: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct StickArgs {
    /// U盘的位置，如 E:\\ 或 /media/usb / where the stick is
    pub dir: PathBuf,
    /// 每个文件最大多少，如 8M / the largest file, such as 8M
    #[arg(long, value_name = "SIZE")]
    pub max: Option<String>,
    /// 县：给所有设备都写，不只是等回执的 / county: write for every device
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Debug)]
pub struct Cut {
    /// 编号，见 yanxiu quarantine / the case's number, from `yanxiu quarantine`
    pub case: String,
    /// 只保留出错之前的（默认保留已收下的全部） / keep only what came before the fault
    #[arg(long)]
    pub before_fault: bool,
    /// 不再询问 / do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Subcommand, Debug)]
pub enum StatementCommand {
    /// 县：签发一份，写成文件 / county: issue one and write the file
    Make(MakeStatement),
    /// 核验一份：有改动就不通过 / check one: a change breaks it
    Verify {
        /// 证明文件 / the file
        file: PathBuf,
        /// 县公钥（52 个字母和数字）；本机已入网时不用写 / the county's key; not needed on a computer of the county
        #[arg(long, value_name = "KEY")]
        county: Option<String>,
    },
}

#[derive(Args, Debug)]
pub struct MakeStatement {
    /// 教师编号、姓名或记录编号 / teacher code, name or record id
    #[arg(long, value_name = "教师")]
    pub person: String,
    /// 起始日期（和截止日期都不写就是整个周期） / first day; without both the whole cycle
    #[arg(long, value_name = "DATE", requires = "until")]
    pub from: Option<String>,
    /// 截止日期 / last day
    #[arg(long, value_name = "DATE", requires = "from")]
    pub until: Option<String>,
    /// 用途，如职称评审 / what it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub purpose: String,
    /// 签发日期，如 2026-01-10 / date of issue
    #[arg(long, value_name = "DATE")]
    pub date: String,
    /// 写到哪个文件（.jwt） / the file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// 生成一个，只显示一次 / make one, shown once
    Make {
        /// 给哪个系统用 / which system it is for
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// 权限，逗号分隔：read:schools read:people read:credits write:outside_hours / scopes
        #[arg(long, value_name = "SCOPE,…", value_delimiter = ',', required = true)]
        scope: Vec<String>,
        /// 有效到哪天，如 2026-12-31 / good until that day
        #[arg(long, value_name = "DATE")]
        until: String,
    },
    /// 列出 / list them
    List,
    /// 撤销 / take one back
    Revoke {
        /// 编号，见 list / its id
        id: String,
    },
}

#[derive(Args, Debug)]
pub struct Publish {
    /// TOML 文件 / the TOML file
    pub file: PathBuf,
    /// 发布日期，如 2025-10-01 / date of publication
    #[arg(long, value_name = "DATE", required_unless_present = "check")]
    pub date: Option<String>,
    /// 说明：改了什么 / what changed
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// 只检查，不发布 / check only
    #[arg(long, conflicts_with = "date")]
    pub check: bool,
    /// 不再询问 / do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args, Debug)]
pub struct Import {
    /// XLSX 或 CSV（UTF-8、GB18030 都可以） / XLSX or CSV
    pub file: PathBuf,
    /// 只预览，不写入 / preview only
    #[arg(long)]
    pub preview: bool,
    /// 不再询问，直接写入 / write without asking
    #[arg(long, conflicts_with = "preview")]
    pub yes: bool,
    /// 学年的起始年，如 2025 表示 2025-2026 学年（默认当前） / first year of the school year
    #[arg(long, value_name = "YEAR")]
    pub year: Option<i32>,
}

#[derive(Args, Debug)]
pub struct Export {
    /// 导出什么 / what
    #[arg(value_enum)]
    pub what: What,
    /// 文件，按扩展名 .xlsx 或 .csv / the file; .xlsx or .csv decides the format
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// 花名册
    Roster,
    /// 学时学分登记表
    Claims,
}

#[derive(Args, Debug)]
pub struct Demo {
    /// 生成县的种子数 / seed of the made-up county
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// 做完即退出，不等 Ctrl-C / end when done instead of waiting for Ctrl-C
    #[arg(long)]
    pub once: bool,
}
