//! The `yanxiu` command: arguments, configuration, start-up. What it does lies in `node` and `web`.

mod args;
mod config;
mod demo;
mod enrol;
mod serve;
mod status;
mod tables;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Why a command ended; shown to the person as it is.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// With words of one's own.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure(text.into())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("YANXIU_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("yanxiu: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let data = match cli.data {
        Some(dir) => dir,
        None => default_data()?,
    };
    let config = config::Config::read(cli.config.as_deref(), &data)?;
    match cli.command {
        Command::Init(init) => enrol::init(&data, init),
        Command::Serve(flags) => serve::serve(&data, &config, &flags),
        Command::Enrol(enrol) => enrol::enrol(&data, enrol),
        Command::SetupLink => serve::print_setup_link(&data, &config),
        Command::Status => status::status(&data),
        Command::Import(import) => tables::import(&data, &import),
        Command::Export(export) => tables::export(&data, &export),
        Command::Demo(demo) => demo::demo(&data.join("demo"), &demo),
    }
}

fn default_data() -> Result<PathBuf, Failure> {
    directories::ProjectDirs::from("", "", "yanxiu")
        .map(|dirs| dirs.data_dir().to_path_buf())
        .ok_or_else(|| Failure::new("找不到用户目录，请用 --data 指明 / no home directory; give --data"))
}

/// Asks a yes-or-no question on the terminal; no terminal means no.
pub fn ask(question: &str) -> Result<bool, Failure> {
    use std::io::{BufRead, Write};
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes" | "是"))
}
