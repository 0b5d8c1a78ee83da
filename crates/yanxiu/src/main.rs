//! The `yanxiu` command: arguments, configuration, start-up. What it does lies in `node` and `web`.

mod args;
mod backup;
mod config;
mod courier;
mod demo;
mod doctor;
mod enrol;
mod failure;
mod kit;
mod publish;
mod quarantine;
mod serve;
mod statement;
mod status;
mod tables;
mod token;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, LogFormat};
pub use failure::Failure;

fn main() -> ExitCode {
    quiet_broken_pipe();
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("YANXIU_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match cli.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("yanxiu: {failure}");
            failure.exit_code()
        }
    }
}

/// `yanxiu status | head` closes the pipe early: that is no fault to show.
fn quiet_broken_pipe() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.contains("failed printing to stdout") {
            std::process::exit(0);
        }
        usual(info);
    }));
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
        Command::Doctor { json } => doctor::doctor(&data, &config, json),
        Command::Status => status::status(&data),
        Command::Backup(args) => backup::backup(&data, &config, &args),
        Command::Restore { backup, dir } => backup::restore(&backup, &dir),
        Command::Verify => verify::verify(&data),
        Command::Rebuild => verify::rebuild(&data),
        Command::Quarantine { case, evidence } => quarantine::show(&data, case, evidence),
        Command::Bundle(command) => courier::bundle(&data, command),
        Command::Stick(args) => courier::stick(&data, &args),
        Command::Kit(kit) => kit::kit(&data, &kit),
        Command::Cut(cut) => quarantine::cut(&data, &cut),
        Command::Publish(publish) => publish::publish(&data, &publish),
        Command::Statement(command) => statement::statement(&data, command),
        Command::Token(command) => token::token(&data, command),
        Command::Import(import) => tables::import(&data, &import),
        Command::Export(export) => tables::export(&data, &export),
        Command::Demo(demo) => demo::demo(&data.join("demo"), &demo),
        Command::Practice(demo) => demo::practice(&data.join("practice"), &demo),
    }
}

fn default_data() -> Result<PathBuf, Failure> {
    directories::ProjectDirs::from("", "", "yanxiu")
        .map(|dirs| dirs.data_dir().to_path_buf())
        .ok_or_else(|| Failure::new("找不到用户目录，请用 --data 指明 / no home directory; give --data"))
}

/// Asks a yes-or-no question on the terminal; no terminal means no.
pub fn ask(question: &str) -> Result<bool, Failure> {
    let said = ask_line(&format!("{question} [y/N] "))?;
    Ok(matches!(said.as_str(), "y" | "Y" | "yes" | "是"))
}

/// What somebody types after a question; empty if nobody is there.
pub fn ask_line(question: &str) -> Result<String, Failure> {
    use std::io::{BufRead, Write};
    print!("{question}");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_string())
}
