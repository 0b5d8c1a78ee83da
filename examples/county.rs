//! A county in one process: a hub and a school, each a node with its own directory and keys, on loopback.
//!
//! The school is enrolled by file, writes a session while no link is up, and the county's decision comes
//! back over QUIC. `cargo run -p yanxiu-examples --example county`

use std::error::Error;
use std::time::Duration;

use node::office::{self, By, ClaimState, OrganisationInput, SessionInput, TeacherInput};
use node::{Network, NetworkConfig, Node, Role, enrol};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let by = By {
        account: "示例".into(),
    };

    // The county: root key, hub device, registry.
    let hub = Node::init_county(&dir.path().join("hub"), "云岭县")?;
    let school_input = OrganisationInput {
        name: "青石小学".into(),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(&hub, &by, vec![(None, school_input)])?;
    let school_id = office::organisations(&hub)?.remove(0).id;

    // The school: request and answer travel as text; both sides compare the digits.
    let school = Node::init_member(&dir.path().join("school"), "青石小学 办公室电脑")?;
    let (device, _) = enrol::read_request(&enrol::request_file(&school))?;
    let answer = enrol::approve(
        &hub,
        &device,
        "青石小学 办公室电脑",
        &[(Role::School, school_id.clone())],
    )?;
    let offer = enrol::accept(&school, &answer.text)?;
    println!("县里的核对码 {}\n学校的核对码 {}", answer.digits, offer.digits);
    enrol::confirm(&school)?;

    // A session, its attendance and its claim, without any link.
    let teacher = TeacherInput {
        name: "欧阳㙇".into(),
        sex: "2".into(),
        status: "serving".into(),
        post: "teacher".into(),
        from: "2025-09-01".into(),
        ..TeacherInput::default()
    };
    let person = office::save_teacher(&school, &by, &school_id, None, teacher)?;
    let session = SessionInput {
        title: "听评课：分数的意义".into(),
        date: "2025-10-16".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 400,
        ..SessionInput::default()
    };
    let session = office::save_session(&school, &by, &school_id, None, session)?;
    office::mark_attendance(&school, &by, &session, &[(person.clone(), "present".into())])?;
    office::end_session(&school, &by, &session)?;
    office::register_claims(&school, &by, &session, "2025-10-17")?;
    println!("断网登记完毕，未到县 {} 条", school.not_at_county()?);

    // The link appears.
    let loopback = || NetworkConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        mdns: false,
        retry_min: Duration::from_millis(200),
        ..NetworkConfig::default()
    };
    let hub_net = Network::start(hub.clone(), loopback()).await?;
    let school_net = Network::start(school.clone(), loopback()).await?;
    school.add_address(&hub_net.local_addr().to_string())?;
    wait(|| Ok(school.not_at_county()? == 0 && hub.views_behind()? == 0)).await?;
    println!(
        "已到县（凭县里的回执），县里收到 {} 条登分",
        office::audit_queue(&hub, 10)?.len()
    );

    let claim = office::audit_queue(&hub, 10)?.remove(0).id;
    office::decide(&hub, &by, &claim, "recognised", None, "", "", "2025-10-20")?;
    wait(|| {
        let claims = office::claims(&school, None, 10)?;
        Ok(claims
            .iter()
            .all(|c| matches!(c.state, ClaimState::Decided { .. })))
    })
    .await?;
    let card = office::credit_card(&school, &person)?.ok_or("no card")?;
    println!("{} 的学分卡：{} 行县已认定", card.teacher.name, card.lines.len());
    school_net.stop().await;
    hub_net.stop().await;
    Ok(())
}

async fn wait(mut done: impl FnMut() -> Result<bool, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    for _ in 0..600 {
        if done()? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("not within 30 seconds".into())
}
