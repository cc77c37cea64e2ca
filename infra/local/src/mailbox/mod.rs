//! The mailbox that stands in for SES: it keeps what it is given and sends nothing.

mod page;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stagepost_app::ports::{ActError, Clock, Entropy, Mail, MailError, Mailer};
use stagepost_domain::Timestamp;

pub use page::answer;

/// Most mails kept; older ones go first.
pub const KEPT_MAX: usize = 1_000;

/// A mail as captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The message id that the sender was told.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// Sender.
    pub from: String,
    /// Where answers go, if not to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Recipient.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// HTML part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Plain part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

struct Kept {
    mails: VecDeque<Captured>,
    file: Option<File>,
}

/// Captures mails, in memory and, if it has a file, a line of JSON each. Clones share the box.
#[derive(Clone)]
pub struct Mailbox {
    kept: Arc<Mutex<Kept>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    delay: Duration,
}

impl Mailbox {
    /// The same box, which answers so late: a mail is there before its sender knows.
    #[must_use]
    pub fn slow(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// A mailbox in memory.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let kept = Kept { mails: VecDeque::new(), file: None };
        Self { kept: Arc::new(Mutex::new(kept)), clock, entropy, delay: Duration::ZERO }
    }

    /// A mailbox on a file, with the newest mails that are in it already.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn on_file(path: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let mails = match File::open(path) {
            Ok(file) => read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => VecDeque::new(),
            Err(error) => return Err(error),
        };
        let file = rewrite(path, &mails)?;
        let kept = Arc::new(Mutex::new(Kept { mails, file: Some(file) }));
        Ok(Self { kept, clock, entropy, delay: Duration::ZERO })
    }

    /// The captured mails, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Captured> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).mails.iter().cloned().collect()
    }

    fn keep(&self, mail: &Mail) -> io::Result<String> {
        let captured = Captured {
            id: format!("mail-{}", self.entropy.id_body()),
            at: self.clock.now(),
            from: mail.from.clone(),
            reply_to: mail.reply_to.clone(),
            to: mail.to.clone(),
            subject: mail.subject.clone(),
            html: mail.html.clone(),
            text: mail.text.clone(),
            tags: mail.tags.clone(),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut kept.file {
            file.write_all(line(&captured)?.as_bytes())?;
        }
        let id = captured.id.clone();
        kept.mails.push_back(captured);
        if kept.mails.len() > KEPT_MAX {
            kept.mails.pop_front();
        }
        Ok(id)
    }
}

impl Mailer for Mailbox {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let kept = self.keep(mail).map_err(|_| ActError::ambiguous("the mailbox file cannot be written"));
        tokio::time::sleep(self.delay).await;
        Ok(kept?)
    }
}

fn line(mail: &Captured) -> io::Result<String> {
    Ok(format!("{}\n", serde_json::to_string(mail)?))
}

/// A process that was killed may have left half a line, which is passed over.
fn read(file: File) -> io::Result<VecDeque<Captured>> {
    let mut mails = VecDeque::new();
    for line in BufReader::new(file).split(b'\n') {
        if let Ok(mail) = serde_json::from_slice(&line?) {
            mails.push_back(mail);
            if mails.len() > KEPT_MAX {
                mails.pop_front();
            }
        }
    }
    Ok(mails)
}

/// Whole lines of the newest mails only, written aside first so that a crash leaves one of the two files.
fn rewrite(path: &Path, mails: &VecDeque<Captured>) -> io::Result<File> {
    let aside = path.with_extension("new");
    let mut options = File::options();
    options.create(true).write(true).truncate(true);
    // Mails name people.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    for mail in mails {
        file.write_all(line(mail)?.as_bytes())?;
    }
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use stagepost_lambda::system::{SystemClock, SystemEntropy};

    use super::*;

    fn mail(subject: &str) -> Mail {
        Mail {
            from: "Shop <a@shop.example>".into(),
            reply_to: None,
            to: "b@customer.example".into(),
            subject: subject.into(),
            html: None,
            text: Some("Hello".into()),
            tags: BTreeMap::new(),
            configuration_set: None,
        }
    }

    #[tokio::test]
    async fn mails_outlive_a_restart_and_half_a_line_does_no_harm() {
        let path = std::env::temp_dir().join(format!("stagepost-mailbox-{}.jsonl", std::process::id()));
        let open = || Mailbox::on_file(&path, Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap();
        open().send(&mail("one")).await.unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"torn").unwrap();
        let reopened = open();
        reopened.send(&mail("two")).await.unwrap();
        let subjects: Vec<_> = open().mails().into_iter().map(|m| m.subject).collect();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(subjects, ["one", "two"]);
    }

    #[tokio::test]
    async fn the_oldest_mails_go_first() {
        let mailbox = Mailbox::in_memory(Arc::new(SystemClock), Arc::new(SystemEntropy));
        for i in 0..=KEPT_MAX {
            mailbox.send(&mail(&i.to_string())).await.unwrap();
        }
        let mails = mailbox.mails();
        assert_eq!((mails.len(), mails[0].subject.as_str()), (KEPT_MAX, "1"));
    }
}
