//! The configuration file. Nothing in it is required.
//!
//! ```toml
//! [sync]
//! listen = "0.0.0.0:4433"          # UDP and TCP
//! publish = "10.0.0.5:4433"        # hub only: what the schools dial
//! mdns = true
//! stay_connected = true            # false: hang up when both sides are equal
//! retry_seconds = [2, 300]         # shortest and longest wait between dials
//! metered = false                  # true: the connection is paid by the byte (the page has a switch, too)
//! quiet = "22:00-06:00"            # nothing is dialled in these hours but by hand
//! udp_doubt_seconds = 10           # so long without an answer over UDP, then TCP is dialled
//! udp_again_seconds = [600, 21600] # while TCP works, UDP is tried again: shortest and longest wait
//!
//! [web]
//! listen = "127.0.0.1:8780"
//! lan = false                      # true: other computers may open the pages
//! names = ["yanxiu.lan"]           # host names under which they do
//!
//! [ops]
//! listen = "127.0.0.1:9464"        # /metrics, /health/live, /health/ready; without it, none
//! token = "…"                      # needed on any address but loopback: Authorization: Bearer …
//!
//! [backup]
//! dir = "/media/backup"            # where `serve` writes a backup once a day; without it, none
//! keep = 14                        # how many are kept
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use node::{NetworkConfig, Quiet, RoadTimes};
use serde::Deserialize;
use web::WebConfig;
use web::ops::OpsConfig;

use crate::Failure;
use crate::args::Serve;

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    sync: Sync,
    #[serde(default)]
    web: Web,
    #[serde(default)]
    ops: Ops,
    /// Backups that `serve` makes.
    #[serde(default)]
    pub backup: Backup,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct Ops {
    listen: Option<SocketAddr>,
    token: Option<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Where to; without it, none are made.
    pub dir: Option<PathBuf>,
    /// How many are kept.
    pub keep: Option<u32>,
}

impl Backup {
    /// Two weeks, if nothing else is said.
    pub fn keep(&self) -> usize {
        self.keep.unwrap_or(14).max(1) as usize
    }
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct Sync {
    listen: Option<SocketAddr>,
    publish: Option<String>,
    mdns: Option<bool>,
    stay_connected: Option<bool>,
    retry_seconds: Option<(f64, f64)>,
    metered: Option<bool>,
    quiet: Option<String>,
    udp_doubt_seconds: Option<f64>,
    udp_again_seconds: Option<(f64, f64)>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct Web {
    listen: Option<SocketAddr>,
    lan: Option<bool>,
    #[serde(default)]
    names: Vec<String>,
}

impl Config {
    /// Reads `file`, or `yanxiu.toml` in the data directory if it is there.
    pub fn read(file: Option<&Path>, data: &Path) -> Result<Config, Failure> {
        let (path, asked): (PathBuf, bool) = match file {
            Some(f) => (f.to_path_buf(), true),
            None => (data.join("yanxiu.toml"), false),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|e| Failure::new(format!("配置文件有误 / configuration {}: {e}", path.display()))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !asked => Ok(Config::default()),
            Err(e) => Err(Failure::new(format!(
                "读不了 / cannot read {}: {e}",
                path.display()
            ))),
        }
    }

    /// The network side; the command line goes first.
    pub fn network(&self, serve: &Serve) -> Result<NetworkConfig, Failure> {
        let base = NetworkConfig::default();
        let span = |key: &str, given: Option<(f64, f64)>, usual: (Duration, Duration)| match given {
            None => Ok(usual),
            Some((min, max)) if min >= 0.05 && max >= min && max <= 86_400.0 => {
                Ok((Duration::from_secs_f64(min), Duration::from_secs_f64(max)))
            }
            Some(_) => Err(Failure::new(format!(
                "{key} 要写成 [最短, 最长]，单位秒 / must be [shortest, longest] seconds"
            ))),
        };
        let sync = &self.sync;
        let (retry_min, retry_max) = span(
            "retry_seconds",
            sync.retry_seconds,
            (base.retry_min, base.retry_max),
        )?;
        let usual = (base.roads.again_min, base.roads.again_max);
        let (again_min, again_max) = span("udp_again_seconds", sync.udp_again_seconds, usual)?;
        let doubt = sync.udp_doubt_seconds.map(|s| (s, s));
        let (doubt, _) = span("udp_doubt_seconds", doubt, (base.roads.doubt, base.roads.doubt))?;
        let quiet = (self.sync.quiet.as_deref()).map(str::parse::<Quiet>).transpose();
        Ok(NetworkConfig {
            listen: serve.listen.or(self.sync.listen).unwrap_or(base.listen),
            publish: serve.publish.clone().or_else(|| self.sync.publish.clone()),
            mdns: !serve.no_mdns && self.sync.mdns.unwrap_or(true),
            keep_open: self.sync.stay_connected.unwrap_or(true),
            metered: self.sync.metered.unwrap_or(false),
            quiet: quiet.map_err(|e| Failure::new(e.to_string()))?,
            roads: RoadTimes {
                doubt,
                again_min,
                again_max,
            },
            retry_min,
            retry_max,
            patience: node::Patience::default(),
        })
    }

    /// The pages; the command line goes first.
    pub fn web(&self, serve: &Serve) -> WebConfig {
        let base = WebConfig::default();
        let lan = serve.lan || self.web.lan.unwrap_or(false);
        // Open to the LAN without an address means every address of this computer.
        let usual = match lan {
            true => SocketAddr::from(([0, 0, 0, 0], base.listen.port())),
            false => base.listen,
        };
        WebConfig {
            listen: serve.web.or(self.web.listen).unwrap_or(usual),
            lan,
            names: self.web.names.clone(),
            ..base
        }
    }

    /// Where figures and health are served, if anywhere; the command line goes first.
    pub fn ops(&self, serve: &Serve) -> Option<OpsConfig> {
        let listen = serve.ops.or(self.ops.listen)?;
        Some(OpsConfig {
            listen,
            token: self.ops.token.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Serve {
        Serve {
            listen: None,
            publish: None,
            web: None,
            lan: false,
            no_mdns: false,
            ops: None,
        }
    }

    #[test]
    fn all_of_it_is_optional_and_the_command_line_goes_first() {
        let empty = Config::default();
        assert_eq!(empty.web(&flags()).listen.port(), 8780);
        let text = "[sync]\nlisten = \"127.0.0.1:9\"\nretry_seconds = [0.5, 3]\n[web]\nlan = true\n";
        let config: Config = toml::from_str(text).unwrap();
        assert!(config.web(&flags()).lan);
        assert!(config.web(&flags()).listen.ip().is_unspecified());
        assert_eq!(
            config.network(&flags()).unwrap().retry_max,
            Duration::from_secs(3)
        );
        let mut serve = flags();
        serve.listen = Some("127.0.0.1:10".parse().unwrap());
        assert_eq!(config.network(&serve).unwrap().listen.port(), 10);
    }

    #[test]
    fn quiet_hours_and_times_are_read_or_refused_with_words() {
        let text = "[sync]\nquiet = \"22:00-06:00\"\nmetered = true\nudp_again_seconds = [60, 600]\n";
        let config: Config = toml::from_str(text).unwrap();
        let network = config.network(&flags()).unwrap();
        assert!(network.metered && network.quiet.unwrap().holds(23 * 60));
        assert_eq!(network.roads.again_max, Duration::from_secs(600));
        let config: Config = toml::from_str("[sync]\nquiet = \"夜里\"\n").unwrap();
        let error = config.network(&flags()).unwrap_err().to_string();
        assert!(error.contains("夜里") && error.contains("22:00-06:00"), "{error}");
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = toml::from_str::<Config>("[web]\nlann = true\n").unwrap_err();
        assert!(error.to_string().contains("lann"), "{error}");
    }
}
