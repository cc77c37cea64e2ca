//! What the command line asks for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use stagepost_domain::id::{InvalidId, ShopId};
use stagepost_local::bootstrap::{BootstrapError, Place, shop_id};
use url::Url;

/// Where a host listens unless it is told.
pub const PORT: u16 = 8787;
const FOLDER: &str = ".stagepost";

/// Stagepost, all of it in one process on this machine.
///
/// The environment variable STAGEPOST_LOG sets what is logged to stderr (default warn). RESTORED_AT, a time like
/// 2026-11-26T12:00:00Z, says that serve works on a copy of data that was restored then (docs/runbook.md).
#[derive(Debug, PartialEq, Eq, Parser)]
#[command(name = "stagepost", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

impl Cli {
    /// What to do; without a command, to serve.
    pub fn asked(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// One of the things to do.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the API, the console and the inbound webhooks (without a command, too)
    Serve(Serve),
    /// Play the main job with stand-ins for the stores, and check it
    Demo {
        /// Stay up afterwards, on port 8787 if it is free
        #[arg(long)]
        keep: bool,
    },
    /// Make the first shop of a deployment, and its owner key
    Bootstrap(Bootstrap),
    /// Make another owner key of a shop, when all of its keys are lost
    Key {
        #[command(flatten)]
        shop: Called,
        #[command(flatten)]
        at: At,
    },
    /// Make a link that signs an owner in to the console, without a mail
    SignIn {
        #[command(flatten)]
        shop: Called,
        /// Whom to sign in: a member, or a new owner (without it, the first owner)
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        #[command(flatten)]
        console: Console,
        #[command(flatten)]
        at: At,
    },
    /// Write everything of a shop to stdout, a line of JSON for each thing, without secrets
    Export {
        #[command(flatten)]
        shop: Called,
        #[command(flatten)]
        at: At,
    },
    /// Have the deployment write an order every quarter of an hour, and watch its mail
    Canary {
        /// Sender of its mails
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// Where the mails go (without it, to SES's own simulator, which takes them)
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Bring the messages of a deployment's dead letters home to their queue
    ///
    /// With region and credentials of the environment.
    Redrive {
        /// The dead letters
        #[arg(long, value_name = "URL")]
        from: String,
        /// The queue that they came from
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// How to serve.
#[derive(Debug, PartialEq, Eq, Args)]
pub struct Serve {
    /// Listen on 127.0.0.1:N; 0 takes a free port
    #[arg(long, value_name = "N", default_value_t = PORT)]
    pub port: u16,
    /// Keep the data in DIR
    #[arg(long = "data", value_name = "DIR", default_value = FOLDER)]
    pub folder: PathBuf,
    /// Call a stand-in at URL instead of Shopify
    #[arg(long, value_name = "URL")]
    pub shopify_base: Option<Url>,
    // Not parsed here: what is wrong with it is told without the password.
    /// Send mails by a relay, smtps://user:password@host, instead of into the mailbox
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,
    /// The mailbox answers after N seconds, to try what a crash in between does
    #[arg(long = "slow-mail", value_name = "N", default_value_t = 0)]
    pub slow_mail: u64,
}

/// The first shop of a deployment.
#[derive(Debug, PartialEq, Eq, Args)]
pub struct Bootstrap {
    /// The shop's name
    #[arg(long = "shop", value_name = "NAME")]
    pub name: String,
    /// Sender of its mails
    #[arg(long, value_name = "ADDRESS")]
    pub from: String,
    /// Its first owner, who gets a link, too
    #[arg(long, value_name = "ADDRESS")]
    pub owner: Option<String>,
    /// Its id, like shop_boats (without it, the letters and digits of its name)
    #[arg(long, value_name = "ID", value_parser = id)]
    pub id: Option<ShopId>,
    #[command(flatten)]
    pub console: Console,
    #[command(flatten)]
    pub at: At,
}

impl Bootstrap {
    /// The shop's id.
    ///
    /// # Errors
    /// It is told none, and its name makes none.
    pub fn shop(&self) -> Result<ShopId, BootstrapError> {
        self.id.clone().map_or_else(|| shop_id(&self.name), Ok)
    }
}

/// A shop that is there.
#[derive(Debug, PartialEq, Eq, Args)]
pub struct Called {
    /// The shop's name or its id
    #[arg(long = "shop", value_name = "NAME", value_parser = shop_id)]
    pub id: ShopId,
}

/// Where links lead.
#[derive(Debug, PartialEq, Eq, Args)]
pub struct Console {
    /// Start of the link (without it http://127.0.0.1:8787/; of a table, PUBLIC_URL of the environment)
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
}

/// Where a deployment's data is.
#[derive(Debug, PartialEq, Eq, Args)]
pub struct At {
    /// Where the data is; no host may be running on it
    #[arg(long = "data", value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// A table in DynamoDB instead, with region and credentials of the environment
    #[arg(long, value_name = "NAME", conflicts_with = "folder")]
    table: Option<String>,
}

impl At {
    /// The place.
    pub fn place(self) -> Place {
        self.table.map_or(Place::Folder(self.folder), Place::Table)
    }
}

fn id(text: &str) -> Result<ShopId, InvalidId> {
    ShopId::parse(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("stagepost").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(Cli::asked)
    }

    fn place_of(line: &str) -> Place {
        match parsed(line).unwrap() {
            Command::Key { at, .. } | Command::Export { at, .. } | Command::Canary { at, .. } => at.place(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        for line in ["", "serve"] {
            let Command::Serve(usual) = parsed(line).unwrap() else { panic!("{line}") };
            assert_eq!((usual.port, usual.folder), (8787, ".stagepost".into()), "{line}");
            assert_eq!((usual.shopify_base, usual.smtp, usual.slow_mail), (None, None, 0), "{line}");
        }
        let full = Command::Serve(Serve {
            port: 0,
            folder: "/tmp/x".into(),
            shopify_base: Some(Url::parse("http://127.0.0.1:1/").unwrap()),
            smtp: Some("smtps://a:b@mail.example".to_owned()),
            slow_mail: 3,
        });
        let options = "--port 0 --data /tmp/x --shopify-base http://127.0.0.1:1/ \
                       --smtp smtps://a:b@mail.example --slow-mail 3";
        assert_eq!(parsed(&format!("serve {options}")).unwrap(), full);
        assert_eq!(parsed(options).unwrap(), full);
    }

    #[test]
    fn a_shop_is_called_by_its_name_or_its_id() {
        let boats = ShopId::parse("shop_boats").unwrap();
        for line in
            ["key --shop shop_boats", "key --shop Boats", "export --shop BOATS", "sign-in --shop Boats!"]
        {
            match parsed(line).unwrap() {
                Command::Key { shop, .. } | Command::Export { shop, .. } | Command::SignIn { shop, .. } => {
                    assert_eq!(shop.id, boats, "{line}");
                }
                other => panic!("{other:?}"),
            }
        }
        let made = |line: &str| match parsed(line).unwrap() {
            Command::Bootstrap(new) => (new.shop().ok(), new.name),
            other => panic!("{other:?}"),
        };
        assert_eq!(made("bootstrap --shop Boats! --from a@b.example"), (Some(boats), "Boats!".to_owned()));
        let told = made("bootstrap --table orders --id shop_x1 --shop 舟 --from a@b.example");
        assert_eq!(told, (ShopId::parse("shop_x1").ok(), "舟".to_owned()));
        assert_eq!(made("bootstrap --shop 舟 --from a@b.example").0, None);
    }

    #[test]
    fn data_is_in_a_folder_or_in_a_table() {
        assert_eq!(place_of("key --shop B"), Place::Folder(".stagepost".into()));
        assert_eq!(place_of("export --shop B --data x"), Place::Folder("x".into()));
        assert_eq!(place_of("canary --from a@b.example --table orders"), Place::Table("orders".to_owned()));
        assert!(parsed("key --shop B --data d --table t").is_err());
    }

    #[test]
    fn what_the_help_does_not_say_is_refused() {
        for wrong in [
            "dance",
            "redrive",
            "redrive --from https://sqs/dead",
            "redrive --to",
            "bootstrap",
            "bootstrap --shop B",
            "bootstrap --shop B --from a --id x",
            "bootstrap --to a",
            "key",
            "key --shop B --from a",
            "export",
            "export --table orders",
            "export --shop B --from a@b.example",
            "canary",
            "canary --table orders",
            "canary --from a --shop B",
            "sign-in",
            "sign-in --shop B --from a",
            "sign-in --shop B --url x",
            "--port",
            "--port 65536",
            "--port x",
            "--shopify-base x",
            "--slow-mail x",
            "serve --keep",
            "demo --port 1",
            "--port 1 demo",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        for right in ["demo", "demo --keep", "redrive --from https://sqs/dead --to https://sqs/home"] {
            assert!(parsed(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_relay_that_is_no_url_is_not_told_of_with_its_password() {
        let Command::Serve(serve) = parsed("--smtp smpts://user:s3cret@host").unwrap() else { panic!() };
        let wrong = stagepost_smtp::Relay::parse(&serve.smtp.unwrap()).unwrap_err();
        assert!(!wrong.to_string().contains("s3cret"), "{wrong}");
    }
}
