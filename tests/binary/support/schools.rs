//! Schools in the test's own process, for tests in which only the hub is the built program.

use std::path::Path;
use std::time::Duration;

use node::office::{self, By, OrganisationInput, SessionInput};
use node::{Network, NetworkConfig, Node, Role, enrol};

fn by() -> By {
    By {
        account: "李专管员".into(),
    }
}

/// A county in a new directory, with these schools on its list.
pub fn county(data: &Path, schools: &[String]) -> Node {
    let node = Node::init_county(data, "云岭县").unwrap();
    let inputs = schools.iter().map(|name| {
        let input = OrganisationInput {
            name: name.clone(),
            org_kind: "primary_school".into(),
            rural: "township".into(),
            ..OrganisationInput::default()
        };
        (None, input)
    });
    office::save_organisations(&node, &by(), inputs.collect()).unwrap();
    node
}

/// A school's computer, enrolled by file, that dials the hub at `address`.
pub fn school(county: &Node, name: &str, data: &Path, address: &str) -> Node {
    let all = office::organisations(county).unwrap();
    let id = all.into_iter().find(|o| o.name == name).unwrap().id;
    let school = Node::init_member(data, &format!("{name} 电脑")).unwrap();
    let (device, label) = enrol::read_request(&enrol::request_file(&school)).unwrap();
    let label = label.unwrap_or_default();
    let answer = enrol::approve(county, &device, &label, &[(Role::School, id)]).unwrap();
    enrol::accept(&school, &answer.text).unwrap();
    enrol::confirm(&school).unwrap();
    school.add_address(address).unwrap();
    school
}

/// Brings a school online on loopback, with short waits.
pub async fn online(school: &Node) -> Network {
    let config = NetworkConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        mdns: false,
        retry_min: Duration::from_millis(100),
        retry_max: Duration::from_secs(1),
        ..NetworkConfig::default()
    };
    Network::start(school.clone(), config).await.unwrap()
}

/// Enters a session with a theme of so many characters.
pub fn enter(school: &Node, title: &str, theme: usize) -> String {
    let home = school.home_school().unwrap();
    let input = SessionInput {
        title: title.into(),
        theme: "研".repeat(theme),
        date: "2025-10-15".into(),
        place: "多媒体教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 400,
        lecturers: "教研组".into(),
        ..SessionInput::default()
    };
    office::save_session(school, &by(), &home, None, input).unwrap()
}

/// A runtime for the schools.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}
