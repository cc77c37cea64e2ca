use std::collections::BTreeMap;

use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

impl Entropy for Fixed {
    fn id_body(&self) -> String {
        "01".to_owned()
    }

    fn fraction(&self) -> f64 {
        0.5
    }

    fn bytes(&self) -> [u8; 32] {
        [0; 32]
    }
}

/// What the relay does when it is asked the last line of the given kind.
#[derive(Clone, Copy)]
enum Does {
    Says(&'static str),
    HangsUp,
    Silent,
}

/// A relay that takes everything but what `odd` names; gives what it read.
async fn relay(odd: Option<(&'static str, Does)>) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let (mut lines, mut seen, mut in_data) = (BufReader::new(read).lines(), String::new(), false);
        write.write_all(b"220 relay\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            seen.push_str(&line);
            seen.push('\n');
            let step = match line.as_str() {
                "." if in_data => ".",
                _ if in_data => continue,
                other => other.split([' ', ':']).next().unwrap(),
            };
            let usual = match step {
                "EHLO" => "250-relay\r\n250 AUTH PLAIN LOGIN",
                "AUTH" => "235 in",
                "DATA" => "354 go ahead",
                "QUIT" => "221 bye",
                _ => "250 yes",
            };
            in_data = step == "DATA";
            let says = match odd.filter(|(at, _)| *at == step) {
                None => usual,
                Some((_, Does::Says(other))) => {
                    in_data = false;
                    other
                }
                Some((_, Does::HangsUp)) => return seen,
                Some((_, Does::Silent)) => std::future::pending().await,
            };
            if write.write_all(format!("{says}\r\n").as_bytes()).await.is_err() {
                break;
            }
        }
        seen
    });
    (port, talk)
}

fn mailer(port: u16) -> SmtpMailer {
    let relay = Relay::parse(&format!("smtp://user:secret@127.0.0.1:{port}")).unwrap();
    SmtpMailer::new(relay, Arc::new(Fixed), Arc::new(Fixed))
}

fn mail() -> Mail {
    Mail {
        from: "Papierboot <hallo@boot.example>".into(),
        reply_to: Some("hilfe@boot.example".into()),
        to: "ada@example.com".into(),
        subject: "Ihre Bestellung ist unterwegs\r\nBcc: evil@example.com".into(),
        html: Some("<p>Grüße</p>".into()),
        text: Some("Grüße\n.\nEnde".into()),
        tags: BTreeMap::new(),
        configuration_set: None,
    }
}

async fn outcome(odd: (&'static str, Does)) -> Result<String, Disposition> {
    let (port, _talk) = relay(Some(odd)).await;
    match mailer(port).send(&mail()).await {
        Ok(id) => Ok(id),
        Err(MailError::Failed(error)) => Err(error.disposition),
        Err(MailError::Paused { message } | MailError::TooFast { message, .. }) => panic!("{message}"),
    }
}

#[tokio::test]
async fn a_mail_is_handed_over_whole() {
    let (port, talk) = relay(None).await;
    assert_eq!(mailer(port).send(&mail()).await.unwrap(), "01@boot.example");
    let seen = talk.await.unwrap();
    for line in
        ["MAIL FROM:<hallo@boot.example>", "RCPT TO:<ada@example.com>", "Message-ID: <01@boot.example>"]
    {
        assert!(seen.lines().any(|l| l == line), "{line} in {seen}");
    }
    assert!(seen.lines().any(|l| l == "Reply-To: hilfe@boot.example"), "{seen}");
    assert!(seen.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000"), "{seen}");
    assert!(seen.contains("multipart/alternative") && seen.contains("<p>Gr=C3=BC=C3=9Fe</p>"), "{seen}");
    assert!(!seen.lines().any(|l| l.starts_with("Bcc")), "a header smuggled into the subject: {seen}");
    assert!(seen.is_ascii() && seen.contains("R3LDvMOfZQ0KLg0KRW5kZQ=="), "{seen}");
}

#[tokio::test]
async fn law_11_whatever_goes_wrong_before_the_data_means_not_sent() {
    use Does::{HangsUp, Says};
    for odd in [
        ("EHLO", HangsUp),
        ("AUTH", Says("535 wrong")),
        ("AUTH", Says("454 later")),
        ("MAIL", Says("451 later")),
        ("RCPT", Says("450 greylisted")),
        ("RCPT", HangsUp),
        ("DATA", Says("421 closing")),
        ("DATA", HangsUp),
    ] {
        assert_eq!(outcome(odd).await, Err(Disposition::RETRY), "{}", odd.0);
    }
    for odd in [("MAIL", Says("550 no")), ("RCPT", Says("550 no such user")), ("DATA", Says("554 no"))] {
        assert_eq!(outcome(odd).await, Err(Disposition::Permanent), "{}", odd.0);
    }
    let nobody = mailer(1).send(&mail()).await.unwrap_err();
    assert!(matches!(nobody, MailError::Failed(error) if error.disposition == Disposition::RETRY));
}

#[tokio::test]
async fn law_11_after_the_data_only_the_relays_own_refusal_means_not_sent() {
    use Does::{HangsUp, Says};
    assert_eq!(outcome((".", Says("451 busy"))).await, Err(Disposition::RETRY));
    assert_eq!(outcome((".", Says("554 spam"))).await, Err(Disposition::Permanent));
    assert_eq!(outcome((".", HangsUp)).await, Err(Disposition::Ambiguous));
    assert_eq!(outcome((".", Says("what?"))).await, Err(Disposition::Ambiguous));
    assert_eq!(outcome(("QUIT", HangsUp)).await, Ok("01@boot.example".into()), "it had been taken");
}

#[tokio::test(start_paused = true)]
async fn law_11_silence_is_not_sent_before_the_data_and_uncertain_after_it() {
    assert_eq!(outcome(("RCPT", Does::Silent)).await, Err(Disposition::RETRY));
    assert_eq!(outcome((".", Does::Silent)).await, Err(Disposition::Ambiguous));
}

#[tokio::test]
async fn a_mail_that_is_none_never_leaves() {
    for broken in [
        Mail { to: "not an address".into(), ..mail() },
        Mail { to: "a@b.example, c@d.example".into(), ..mail() },
        Mail { from: "nobody".into(), ..mail() },
        Mail { html: None, text: None, ..mail() },
    ] {
        let refused = mailer(1).send(&broken).await.unwrap_err();
        assert!(
            matches!(&refused, MailError::Failed(e) if e.disposition == Disposition::Permanent),
            "{refused:?}"
        );
    }
}
