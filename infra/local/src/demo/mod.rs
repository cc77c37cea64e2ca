//! `stagepost demo`: the main job on one screen.
//!
//! A host in memory, a Shopify store, a WooCommerce site, EasyPost and a merchant's receiver, all on
//! loopback. Everything goes over HTTP: notifications in, signed as the real ones are; the API; mails,
//! webhooks and platform calls out. Each scene tells its order's timeline as the API gives it, and what was
//! expected of it. Time is the machine's and an offset, so that no grace is waited for.

mod expect;
mod scenes;
mod story;
mod surroundings;
mod timeline;

use std::io::{self, Write};

use stagepost_app::config::ConfigError;
use stagepost_app::ports::ActError;
use stagepost_domain::id::InvalidId;
use stagepost_outbound_http::BuildError;
use stagepost_standins::{CourierError, ScriptError};

use self::expect::Checks;
use self::story::WIDTH;
use self::surroundings::Surroundings;
use crate::host::HostError;

/// The demo could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The host did not start.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A stand-in found no port, or nobody reads what is printed.
    #[error("a stand-in or the output: {0}")]
    Io(#[from] io::Error),
    /// The demo shop could not be made.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The demo shop's id.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The HTTP client.
    #[error(transparent)]
    Http(#[from] BuildError),
    /// An address is none.
    #[error("not an address: {0}")]
    Url(#[from] url::ParseError),
    /// A stand-in was asked for something odd.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A notification could not be posted.
    #[error("a notification was not answered: {0}")]
    Courier(#[from] CourierError),
    /// A notification was answered with something else than 200.
    #[error("{topic} was answered with {status}")]
    Notification {
        /// Its topic.
        topic: String,
        /// The status.
        status: u16,
    },
    /// The API was not reached.
    #[error("{path}: {message}")]
    Unanswered {
        /// What was called.
        path: String,
        /// Why not.
        message: String,
    },
    /// The API refused.
    #[error("{path} was answered with {status} {code}")]
    Refused {
        /// What was called.
        path: String,
        /// The status.
        status: u16,
        /// The problem's stable word.
        code: String,
    },
    /// An answer lacks a field.
    #[error("{0} is missing in an answer")]
    Missing(&'static str),
    /// The host stayed busy.
    #[error("the host does not come to rest")]
    Restless,
}

impl DemoError {
    fn unanswered(path: &str, error: &ActError) -> Self {
        Self::Unanswered { path: path.to_owned(), message: error.message.clone() }
    }
}

/// One story, told.
struct Scene {
    title: &'static str,
    /// The order that it is about.
    order: Option<String>,
    checks: Checks,
}

/// A demo that was played, with its host still running.
pub struct Demo {
    surroundings: Surroundings,
    failed: usize,
}

impl Demo {
    /// Whether everything was as it should be.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.failed == 0
    }

    /// Stops the host and the stand-ins.
    pub async fn stop(self) {
        self.surroundings.host.stop().await;
    }
}

/// Plays the demo and tells it to `out`. With `keep` the host takes the usual port if it is free, and how to
/// go on from here is told as well.
///
/// # Errors
/// It could not be played to its end. What is not as it should be is told, and is no error.
pub async fn play(keep: bool, out: &mut impl Write) -> Result<Demo, DemoError> {
    perform(Surroundings::start(keep).await?, keep, out).await
}

async fn perform(mut s: Surroundings, keep: bool, out: &mut impl Write) -> Result<Demo, DemoError> {
    let base = s.host.base_url();
    writeln!(out, "Stagepost on {base}, in memory, with stand-ins for the stores and a receiver.")?;
    let mut failed = 0;
    let scene = scenes::both_directions(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    let scene = scenes::woocommerce(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    let scene = scenes::by_hand(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    let scene = scenes::two_parcels(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    let scene = scenes::nobody_to_mail(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    let scene = scenes::lost_answer(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    let scene = scenes::all_again(&mut s).await?;
    failed += tell(out, &s, scene).await?;
    writeln!(out, "\n{}", story::wrapped(&s.totals().await?, WIDTH).join("\n"))?;
    let verdict =
        if failed == 0 { "Everything is as it should be." } else { "NOT everything is as it should be." };
    writeln!(out, "{verdict}")?;
    if keep {
        s.echo_from_now_on();
        write!(out, "{}", hints(&base, &s))?;
    }
    out.flush()?;
    Ok(Demo { surroundings: s, failed })
}

/// Prints a scene and gives how many of its expectations failed.
async fn tell(out: &mut impl Write, s: &Surroundings, scene: Scene) -> Result<usize, DemoError> {
    writeln!(out, "{}", scene.title)?;
    if let Some(order) = &scene.order {
        for line in story::story(&s.timeline(order).await?, &s.mails_of(order)) {
            writeln!(out, "{line}")?;
        }
    }
    for line in scene.checks.lines() {
        writeln!(out, "{line}")?;
    }
    Ok(scene.checks.failed())
}

fn hints(base: &str, s: &Surroundings) -> String {
    let order = s.orders.last().map_or("ORDER_ID", String::as_str);
    let (key, flow) = (s.key(), &s.ids.flow);
    format!(
        r#"
It stays up until Ctrl-C, on {base}. Captured mail: {base}/_local/mailbox

  export KEY={key}
  curl -s {base}/v1/flows -H "Authorization: Bearer $KEY"
  curl -s {base}/v1/orders/{order}/timeline -H "Authorization: Bearer $KEY"
  curl -s {base}/v1/orders -H "Authorization: Bearer $KEY" \
    -d '{{"external_id":"web-1","number":"W-1","flow":"{flow}","customer":{{"name":"Ada","email":"ada@example.com"}}}}'
  curl -s {base}/v1/orders/ORDER_ID/move -H "Authorization: Bearer $KEY" -d '{{"stage":"Shipped","expected_seq":1}}'
"#
    )
}

#[cfg(test)]
mod tests {
    use stagepost_standins::Reply;

    use super::*;

    #[tokio::test]
    async fn the_demo_finds_everything_as_it_should_be_and_fits_a_screen() {
        let mut out = Vec::new();
        let demo = play(false, &mut out).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(demo.succeeded(), "{text}");
        demo.stop().await;
        assert!(text.lines().count() <= 60, "{text}");
        let wide = text.lines().find(|l| l.chars().count() > WIDTH);
        assert_eq!(wide, None);
    }

    /// What the demo tells of surroundings that were spoiled.
    async fn spoiled(spoil: impl FnOnce(&Surroundings)) -> String {
        let mut out = Vec::new();
        let surroundings = Surroundings::start(false).await.unwrap();
        spoil(&surroundings);
        let demo = perform(surroundings, false, &mut out).await.unwrap();
        assert!(!demo.succeeded());
        demo.stop().await;
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn the_demo_tells_what_is_not_as_it_should_be() {
        let refused = spoiled(|s| s.receiver.reply(Reply::Status(410), 1)).await;
        assert!(refused.contains("✗ no run open or failed: expected 0, got 1"), "{refused}");
        let silent = spoiled(|s| s.woo.set_extra_updates(2)).await;
        assert!(silent.contains("✗ 4 notifications of it recognised: no move"), "{silent}");
        for text in [refused, silent] {
            assert!(text.ends_with("NOT everything is as it should be.\n"), "{text}");
        }
    }
}
