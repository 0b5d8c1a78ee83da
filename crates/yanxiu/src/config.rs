//! The configuration file. Nothing in it is required.
//!
//! ```toml
//! [sync]
//! listen = "0.0.0.0:4433"          # UDP
//! publish = "10.0.0.5:4433"        # hub only: what the schools dial
//! mdns = true
//! stay_connected = true            # false: hang up when both sides are equal
//! retry_seconds = [2, 300]         # shortest and longest wait between dials
//!
//! [web]
//! listen = "127.0.0.1:8780"
//! lan = false                      # true: other computers may open the pages
//! names = ["yanxiu.lan"]           # host names under which they do
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use node::NetworkConfig;
use serde::Deserialize;
use web::WebConfig;

use crate::Failure;
use crate::args::Serve;

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    sync: Sync,
    #[serde(default)]
    web: Web,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct Sync {
    listen: Option<SocketAddr>,
    publish: Option<String>,
    mdns: Option<bool>,
    stay_connected: Option<bool>,
    retry_seconds: Option<(f64, f64)>,
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
        let (min, max) = self
            .sync
            .retry_seconds
            .unwrap_or((base.retry_min.as_secs_f64(), base.retry_max.as_secs_f64()));
        if !(min >= 0.05 && max >= min && max <= 86_400.0) {
            return Err(Failure::new(
                "retry_seconds 要写成 [最短, 最长]，单位秒 / must be [shortest, longest] seconds",
            ));
        }
        Ok(NetworkConfig {
            listen: serve.listen.or(self.sync.listen).unwrap_or(base.listen),
            publish: serve.publish.clone().or_else(|| self.sync.publish.clone()),
            mdns: !serve.no_mdns && self.sync.mdns.unwrap_or(true),
            keep_open: self.sync.stay_connected.unwrap_or(true),
            retry_min: Duration::from_secs_f64(min),
            retry_max: Duration::from_secs_f64(max),
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
        }
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
    fn a_misspelt_key_is_named() {
        let error = toml::from_str::<Config>("[web]\nlann = true\n").unwrap_err();
        assert!(error.to_string().contains("lann"), "{error}");
    }
}
