//! The shop's mails, stopped because there were far too many, or too many came back.

use stagepost_app::governor::release;
use stagepost_app::ports::Secrets;
use stagepost_domain::governor::TooMany;

use super::RESUME;
use crate::Stores;
use crate::answer::{Answer, page, to_say};
use crate::shell::{Area, Flash};
use crate::state::State;
use crate::time::exactly;
use crate::ui::Confirm;
use crate::visitor::{Admin, Visitor};
use crate::words;

pub async fn ask<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor<Admin>) -> Answer {
    let Some(paused) = console.core.store.governor(&visitor.shop).await?.paused else {
        return to_say(Area::Activity.path(), Flash::note("Your mails are not stopped."));
    };
    let learned = match paused.because {
        TooMany::Mails => format!("From now on {} mails in ten minutes are taken as usual.", paused.count),
        TooMany::Bounces => {
            "Look first at where these addresses come from: more of them stop your mails again.".to_owned()
        }
        TooMany::Complaints => {
            "Look first at what was mailed to whom: more complaints stop your mails again.".to_owned()
        }
    };
    page(&Confirm {
        shell: visitor.shell(Area::Activity),
        title: "Let your mails go again?".to_owned(),
        what: vec![
            format!("They have been stopped since {}: {}", exactly(paused.at), words::stopped(&paused)),
            "Mails that wait leave now. Customers get them.".to_owned(),
            "For one hour no number of mails stops them.".to_owned(),
            learned,
        ],
        action: RESUME.to_owned(),
        fields: Vec::new(),
        verb: "Resume mails".to_owned(),
        danger: false,
        back: Area::Activity.path().to_owned(),
    })
}

pub async fn resume<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
) -> Answer {
    release(&console.core, &visitor.shop).await?;
    to_say(Area::Activity.path(), Flash::done("Your mails go again."))
}
