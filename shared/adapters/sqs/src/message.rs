//! What stands in a message: a version and a run's or a job's id.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stagepost_app::mail::ports::Asker;
use stagepost_app::ports::BadMessage;
use stagepost_domain::id::{JobId, MailId, ShopId};
use stagepost_domain::run::RunId;

/// Counts changes that an older release would misread. Whoever makes a second one reads the first for as long as
/// messages and dead letters of it may be there, two weeks; an older release that still runs lets the second come
/// back.
const VERSION: u32 = 1;
/// Ours have fewer than 200 bytes.
const BODY_MAX: usize = 1_024;

/// What all messages of ours have.
#[derive(Deserialize)]
pub(crate) struct VersionOnly {
    pub v: u32,
}

#[derive(Serialize, Deserialize)]
struct Message<T> {
    v: u32,
    #[serde(flatten)]
    what: T,
}

#[derive(Serialize, Deserialize)]
struct RunMessage {
    run: RunId,
}

/// A doorbell for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMessage {
    /// Its tenant.
    pub shop: ShopId,
    /// The job.
    pub job: JobId,
}

/// A doorbell for a mail that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedMailMessage {
    /// With whom it stands.
    pub of: Asker,
    /// The mail.
    pub mail: MailId,
}

/// `{"v":1,"run":"run_…"}`.
#[must_use]
pub fn encode(run: &RunId) -> String {
    written(RunMessage { run: run.clone() })
}

/// `{"v":1,"shop":"shop_…","job":"job_…"}`.
#[must_use]
pub fn encode_job(job: &JobMessage) -> String {
    written(job)
}

/// `{"v":1,"of":"shop_…","mail":"mail_…"}`; of a person `"of":"per_…"`.
#[must_use]
pub fn encode_asked_mail(mail: &AskedMailMessage) -> String {
    written(mail)
}

/// Ids' own letters need no escapes, so writing them cannot fail.
fn written<T: Serialize>(what: T) -> String {
    serde_json::to_string(&Message { v: VERSION, what }).unwrap_or_default()
}

/// Reads a message's body.
///
/// # Errors
/// Anything that [`encode`] does not make. The version is looked at first: what else another version has
/// is its own affair.
pub fn decode(body: &str) -> Result<RunId, BadMessage> {
    read::<RunMessage>(body).map(|message| message.run)
}

/// Reads a job's message, as [`decode`] does a run's.
///
/// # Errors
/// Anything that [`encode_job`] does not make.
pub fn decode_job(body: &str) -> Result<JobMessage, BadMessage> {
    read(body)
}

/// Reads the message of a mail that was asked for, as [`decode`] does a run's.
///
/// # Errors
/// Anything that [`encode_asked_mail`] does not make.
pub fn decode_asked_mail(body: &str) -> Result<AskedMailMessage, BadMessage> {
    read(body)
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, BadMessage> {
    if body.len() > BODY_MAX {
        return Err(BadMessage::Garbage);
    }
    match serde_json::from_str::<VersionOnly>(body) {
        Ok(VersionOnly { v: VERSION }) => {}
        Ok(VersionOnly { v }) => return Err(BadMessage::Version(v)),
        Err(_) => return Err(BadMessage::Garbage),
    }
    serde_json::from_str::<Message<T>>(body).map(|m| m.what).map_err(|_| BadMessage::Garbage)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stagepost_domain::id::PersonId;

    use super::*;

    #[test]
    fn a_message_reads_as_documented() {
        let run = RunId::parse("run_0a1b.12.webhook.ep_1.0").unwrap();
        assert_eq!(encode(&run), r#"{"v":1,"run":"run_0a1b.12.webhook.ep_1.0"}"#);
    }

    #[test]
    fn what_another_release_wrote_and_what_nobody_did_are_told_apart() {
        assert_eq!(decode(r#"{"v":2,"runs":[]}"#), Err(BadMessage::Version(2)));
        for garbage in [
            "",
            "null",
            "{}",
            r#"{"v":1}"#,
            r#"{"v":-1,"run":"run_a.1.email.tmpl_1.0"}"#,
            r#"{"v":1,"run":"ord_a"}"#,
            r#"{"run":"run_a.1.email.tmpl_1.0"}"#,
            &format!(r#"{{"v":1,"run":"run_a.1.email.tmpl_1.0","x":"{}"}}"#, "x".repeat(BODY_MAX)),
        ] {
            assert_eq!(decode(garbage), Err(BadMessage::Garbage), "{garbage}");
        }
    }

    #[test]
    fn a_jobs_message_reads_as_documented_and_is_no_runs() {
        let (shop, job) = (ShopId::parse("shop_a").unwrap(), JobId::parse("job_1").unwrap());
        let message = JobMessage { shop, job };
        let body = encode_job(&message);
        assert_eq!(body, r#"{"v":1,"shop":"shop_a","job":"job_1"}"#);
        assert_eq!(decode_job(&body), Ok(message));
        assert_eq!(decode(&body), Err(BadMessage::Garbage));
        assert_eq!(decode_job(r#"{"v":1,"shop":"shop_a","job":"ord_1"}"#), Err(BadMessage::Garbage));
        let (of, mail) = (Asker::Shop(ShopId::parse("shop_a").unwrap()), MailId::parse("mail_1").unwrap());
        let message = AskedMailMessage { of, mail: mail.clone() };
        let body = encode_asked_mail(&message);
        assert_eq!(body, r#"{"v":1,"of":"shop_a","mail":"mail_1"}"#);
        assert_eq!(decode_asked_mail(&body), Ok(message));
        assert_eq!((decode(&body), decode_job(&body)), (Err(BadMessage::Garbage), Err(BadMessage::Garbage)));
        let message = AskedMailMessage { of: Asker::Person(PersonId::parse("per_a").unwrap()), mail };
        let body = encode_asked_mail(&message);
        assert_eq!(body, r#"{"v":1,"of":"per_a","mail":"mail_1"}"#);
        assert_eq!(decode_asked_mail(&body), Ok(message));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(
            order in "[0-9a-f]{1,40}",
            seq: u64,
            target in "email\\.tmpl_[a-z0-9]{1,40}|webhook\\.ep_[a-z0-9]{1,40}|fulfill\\.(none|chan_[a-z0-9]{1,40})",
            generation: u32,
        ) {
            let run = RunId::parse(&format!("run_{order}.{seq}.{target}.{generation}")).unwrap();
            prop_assert_eq!(decode(&encode(&run)), Ok(run));
        }

        #[test]
        fn garbage_never_panics(body in "\\PC{0,100}|\\{\"v\":\\PC{0,40}\\}") {
            let _ = decode(&body);
        }
    }
}
