//! `stagepost`: all of it in one process on this machine.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use stagepost_app::people::link_url;
use stagepost_domain::id::ShopId;
use stagepost_lambda::{aws, env};
use stagepost_local::bootstrap::{NewShop, Place, bootstrap, canary, exported, owner_key, shop_id, sign_in};
use stagepost_local::redrive::{Redriven, redrive};
use stagepost_local::seed::{DEMO_OWNER, Seeded, demo_link, seed};
use stagepost_local::{HostConfig, start};
use stagepost_smtp::Relay;
use tracing_subscriber::EnvFilter;
use url::Url;

const PORT: u16 = 8787;
const FOLDER: &str = ".stagepost";
const HELP: &str = "Stagepost, all of it in one process on this machine.

Usage: stagepost [COMMAND] [OPTIONS]

Commands:
  serve      Serve the API and the inbound webhooks (without a command, too)
  demo       Play the main job with stand-ins for the stores, and check it
  bootstrap  Make the first shop of a deployment, and its owner key
  key        Make another owner key of a shop, when all of its keys are lost
  sign-in    Make a link that signs an owner in to the console, without a mail
  export     Write everything of a shop to stdout, a line of JSON for each thing, without secrets
  canary     Have the deployment write an order every quarter of an hour, and watch its mail
  redrive    Bring the messages of a deployment's dead letters home to their queue
  help       Show this

Options of serve:
  --port N            Listen on 127.0.0.1:N (default 8787; 0 takes a free port)
  --data DIR          Keep the data in DIR (default .stagepost)
  --shopify-base URL  Call a stand-in at URL instead of Shopify
  --smtp URL          Send mails by a relay, smtps://user:password@host, instead of into the mailbox
  --slow-mail N       The mailbox answers after N seconds, to try what a crash in between does

Option of demo:
  --keep              Stay up afterwards, on port 8787 if it is free

Options of bootstrap, key, sign-in, export and canary:
  --shop NAME         The shop's name (for key, sign-in and export: its name or its id)
  --from ADDRESS      Sender of its mails (bootstrap, canary)
  --to ADDRESS        Where the mails go (canary; without it, to SES's own simulator, which takes them)
  --owner ADDRESS     Its first owner, who gets a link, too (bootstrap)
  --id shop_ID        Its id (bootstrap; without it, the letters and digits of its name)
  --email ADDRESS     Whom to sign in: a member, or a new owner (sign-in; without it, the first owner)
  --url URL           Start of the link (default http://127.0.0.1:8787/; of a table PUBLIC_URL of the environment)
  --data DIR          Where the data is (default .stagepost); no host may be running on it
  --table NAME        A table in DynamoDB instead, with region and credentials of the environment

Options of redrive, with region and credentials of the environment:
  --from URL          The dead letters
  --to URL            The queue that they came from

The environment variable STAGEPOST_LOG sets what is logged to stderr (default warn). RESTORED_AT, a time like
2026-11-26T12:00:00Z, says that serve works on a copy of data that was restored then (docs/runbook.md).
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Demo {
        keep: bool,
    },
    Serve(Serve),
    Bootstrap {
        place: Place,
        shop: ShopId,
        name: String,
        from: String,
        owner: Option<String>,
        url: Option<Url>,
    },
    Key {
        place: Place,
        shop: ShopId,
    },
    SignIn {
        place: Place,
        shop: ShopId,
        email: Option<String>,
        url: Option<Url>,
    },
    Export {
        place: Place,
        shop: ShopId,
    },
    Canary {
        place: Place,
        from: String,
        to: Option<String>,
    },
    Redrive {
        from: String,
        to: String,
    },
}

/// The options of `serve`.
#[derive(Debug, PartialEq, Eq)]
struct Serve {
    port: u16,
    folder: PathBuf,
    shopify_base: Option<Url>,
    smtp: Option<Relay>,
    slow_mail: Duration,
}

impl Default for Serve {
    fn default() -> Self {
        let folder = PathBuf::from(FOLDER);
        Self { port: PORT, folder, shopify_base: None, smtp: None, slow_mail: Duration::ZERO }
    }
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter().peekable();
    match arguments.next_if(|a| !a.starts_with('-')).as_deref() {
        None | Some("serve") => parse_serve(arguments),
        Some("demo") => parse_demo(arguments),
        Some("bootstrap") => parse_bootstrap(arguments),
        Some("key") => parse_key(arguments),
        Some("sign-in") => parse_sign_in(arguments),
        Some("export") => parse_export(arguments),
        Some("canary") => parse_canary(arguments),
        Some("redrive") => parse_redrive(arguments),
        Some("help") => Ok(Command::Help),
        Some(other) => Err(format!("there is no command \"{other}\"")),
    }
}

fn parse_demo(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut keep = false;
    for option in arguments {
        match option.as_str() {
            "--keep" => keep = true,
            "--help" | "-h" => return Ok(Command::Help),
            other => return Err(format!("there is no option \"{other}\"")),
        }
    }
    Ok(Command::Demo { keep })
}

/// What `bootstrap`, `key`, `sign-in`, `export` and `canary` are told.
#[derive(Default)]
struct Admin {
    help: bool,
    shop: Option<String>,
    from: Option<String>,
    to: Option<String>,
    owner: Option<String>,
    email: Option<String>,
    url: Option<Url>,
    id: Option<String>,
    folder: Option<PathBuf>,
    table: Option<String>,
}

impl Admin {
    fn parse(mut arguments: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut told = Self::default();
        while let Some(option) = arguments.next() {
            if matches!(option.as_str(), "--help" | "-h") {
                return Ok(Self { help: true, ..Self::default() });
            }
            if !known.contains(&option.as_str()) {
                return Err(format!("there is no option \"{option}\""));
            }
            let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--shop" => told.shop = Some(value),
                "--from" => told.from = Some(value),
                "--to" => told.to = Some(value),
                "--owner" => told.owner = Some(value),
                "--email" => told.email = Some(value),
                "--url" => told.url = Some(Url::parse(&value).map_err(|e| format!("--url: {e}"))?),
                "--id" => told.id = Some(value),
                "--data" => told.folder = Some(value.into()),
                _ => told.table = Some(value),
            }
        }
        Ok(told)
    }

    fn place(&self) -> Result<Place, String> {
        match (&self.folder, &self.table) {
            (Some(_), Some(_)) => Err("--data and --table exclude each other".to_owned()),
            (_, Some(table)) => Ok(Place::Table(table.clone())),
            (folder, None) => Ok(Place::Folder(folder.clone().unwrap_or_else(|| FOLDER.into()))),
        }
    }
}

fn parse_bootstrap(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let told =
        Admin::parse(arguments, &["--shop", "--from", "--owner", "--url", "--id", "--data", "--table"])?;
    if told.help {
        return Ok(Command::Help);
    }
    let place = told.place()?;
    let (Some(name), Some(from)) = (told.shop, told.from) else {
        return Err("bootstrap needs --shop and --from".to_owned());
    };
    let shop = match told.id {
        Some(id) => ShopId::parse(&id).map_err(|e| format!("--id: {e}"))?,
        None => shop_id(&name).map_err(|e| e.to_string())?,
    };
    Ok(Command::Bootstrap { place, shop, name, from, owner: told.owner, url: told.url })
}

fn parse_key(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let told = Admin::parse(arguments, &["--shop", "--data", "--table"])?;
    if told.help {
        return Ok(Command::Help);
    }
    let place = told.place()?;
    let called = told.shop.ok_or_else(|| "key needs --shop".to_owned())?;
    let shop = shop_id(&called).map_err(|e| e.to_string())?;
    Ok(Command::Key { place, shop })
}

fn parse_sign_in(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let told = Admin::parse(arguments, &["--shop", "--email", "--url", "--data", "--table"])?;
    if told.help {
        return Ok(Command::Help);
    }
    let place = told.place()?;
    let called = told.shop.ok_or_else(|| "sign-in needs --shop".to_owned())?;
    let shop = shop_id(&called).map_err(|e| e.to_string())?;
    Ok(Command::SignIn { place, shop, email: told.email, url: told.url })
}

fn parse_export(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let told = Admin::parse(arguments, &["--shop", "--data", "--table"])?;
    if told.help {
        return Ok(Command::Help);
    }
    let place = told.place()?;
    let called = told.shop.ok_or_else(|| "export needs --shop".to_owned())?;
    let shop = shop_id(&called).map_err(|e| e.to_string())?;
    Ok(Command::Export { place, shop })
}

fn parse_canary(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let told = Admin::parse(arguments, &["--from", "--to", "--data", "--table"])?;
    if told.help {
        return Ok(Command::Help);
    }
    let place = told.place()?;
    let from = told.from.ok_or_else(|| "canary needs --from".to_owned())?;
    Ok(Command::Canary { place, from, to: told.to })
}

fn parse_redrive(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let (mut from, mut to) = (None, None);
    while let Some(option) = arguments.next() {
        let told = match option.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--from" => &mut from,
            "--to" => &mut to,
            other => return Err(format!("there is no option \"{other}\"")),
        };
        *told = Some(arguments.next().ok_or_else(|| format!("{option} needs a value"))?);
    }
    let (from, to) = from.zip(to).ok_or("redrive needs --from and --to")?;
    Ok(Command::Redrive { from, to })
}

fn parse_serve(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut serve = Serve::default();
    while let Some(option) = arguments.next() {
        if matches!(option.as_str(), "--help" | "-h") {
            return Ok(Command::Help);
        }
        let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--port" => {
                serve.port = value()?.parse().map_err(|_| "--port needs a number up to 65535".to_owned())?;
            }
            "--data" => serve.folder = value()?.into(),
            "--shopify-base" => {
                let base = Url::parse(&value()?).map_err(|e| format!("--shopify-base: {e}"))?;
                serve.shopify_base = Some(base);
            }
            "--smtp" => {
                serve.smtp = Some(Relay::parse(&value()?).map_err(|e| format!("--smtp {e}"))?);
            }
            "--slow-mail" => {
                let seconds = value()?.parse().map_err(|_| "--slow-mail needs seconds".to_owned())?;
                serve.slow_mail = Duration::from_secs(seconds);
            }
            other => return Err(format!("there is no option \"{other}\"")),
        }
    }
    Ok(Command::Serve(serve))
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_env("STAGEPOST_LOG").unwrap_or_else(|_| EnvFilter::new("warn,dynoxide=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let done = match parse(std::env::args().skip(1)) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Demo { keep }) => demo(keep).await,
        Ok(Command::Serve(options)) => serve(options).await,
        Ok(Command::Bootstrap { place, shop, name, from, owner, url }) => {
            let new = NewShop { shop: &shop, name: &name, from: &from, owner: owner.as_deref() };
            bootstrapped(&place, new, url).await
        }
        Ok(Command::Key { place, shop }) => {
            owner_key(&place, &shop).await.map_err(Into::into).and_then(|key| owns(&shop, &key))
        }
        Ok(Command::SignIn { place, shop, email, url }) => {
            signed_in(&place, &shop, email.as_deref(), url).await
        }
        Ok(Command::Export { place, shop }) => export(&place, &shop).await,
        Ok(Command::Canary { place, from, to }) => sings(&place, &from, to.as_deref()).await,
        Ok(Command::Redrive { from, to }) => redriven(&from, &to).await,
        Err(wrong) => Err(format!("{wrong}\n\n{HELP}").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads_it = writeln!(std::io::stderr(), "stagepost: {error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn print(text: &str) -> Done {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints an owner's key.
fn owns(shop: &ShopId, key: &str) -> Done {
    print(&format!("An owner key of {shop}, shown this once:\n\n  export STAGEPOST_API_KEY={key}\n"))
}

async fn export(place: &Place, shop: &ShopId) -> Done {
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let done = exported(place, shop, &mut out).await?;
    out.flush()?;
    writeln!(std::io::stderr(), "{} orders of {shop}, {} lines", done.orders, done.lines)?;
    Ok(())
}

async fn sings(place: &Place, from: &str, to: Option<&str>) -> Done {
    let shop = canary(place, from, to).await?;
    print(&format!(
        "{shop} writes an order every quarter of an hour from now on, and looks whether its mail left\n"
    ))
}

async fn bootstrapped(place: &Place, new: NewShop<'_>, url: Option<Url>) -> Done {
    // What cannot be printed must not be made.
    let url = new.owner.map(|_| console(place, url)).transpose()?;
    let made = bootstrap(place, new).await?;
    owns(new.shop, &made.key)?;
    match url.zip(made.link) {
        Some((url, token)) => opens(new.shop, &url, &token),
        None => Ok(()),
    }
}

async fn signed_in(place: &Place, shop: &ShopId, email: Option<&str>, url: Option<Url>) -> Done {
    let url = console(place, url)?;
    opens(shop, &url, &sign_in(place, shop, email).await?)
}

async fn redriven(from: &str, to: &str) -> Done {
    let client = stagepost_sqs::client(&aws::config().await);
    let Redriven { moved, found } = redrive(&client, from, to).await?;
    print(&format!("{moved} of about {found} messages were brought home\n"))
}

/// Prints a link into the console.
fn opens(shop: &ShopId, url: &Url, token: &str) -> Done {
    let link = link_url(url, token);
    print(&format!("A link that signs in to {shop}, once and within 15 minutes:\n\n  {link}\n"))
}

/// Where the console is.
fn console(place: &Place, told: Option<Url>) -> Result<Url, Box<dyn std::error::Error>> {
    Ok(match (told, place) {
        (Some(url), _) => url,
        (None, Place::Folder(_)) => Url::parse(&format!("http://127.0.0.1:{PORT}/"))?,
        (None, Place::Table(_)) => env::url(env::PUBLIC_URL).map_err(|e| format!("{e}; or say --url"))?,
    })
}

async fn demo(keep: bool) -> Done {
    let demo = stagepost_local::demo::play(keep, &mut std::io::stdout()).await?;
    if keep {
        stopped().await?;
    }
    let succeeded = demo.succeeded();
    demo.stop().await;
    if succeeded { Ok(()) } else { Err("the demo found something that is not as it should be".into()) }
}

async fn serve(options: Serve) -> Done {
    let Serve { port, folder, shopify_base, smtp, slow_mail: mail_delay } = options;
    let config = HostConfig {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        shopify_base,
        mail_delay,
        smtp,
        restored_at: env::restored_at()?,
        ..HostConfig::in_folder(&folder)
    };
    let host = start(config).await?;
    let base = host.base_url();
    let seeded = seed(host.core()).await?;
    let mut said = format!("Stagepost listens on {base}, its data is in {}\n", folder.display());
    if let Some(token) = demo_link(&host).await? {
        said.push_str(&open_here(&base, &token));
    }
    said.push_str(&format!("Captured mail: {base}/_local/mailbox\n"));
    said.extend(seeded.map(|seeded| welcome(&base, &seeded)));
    print(&said)?;
    stopped().await?;
    host.stop().await;
    Ok(())
}

#[cfg(unix)]
async fn stopped() -> std::io::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// The way into the console, and the way there when that is used up.
fn open_here(base: &str, token: &str) -> String {
    format!(
        "
Open this in a browser; it signs you in to the console once, within 15 minutes:

  {base}/sign-in/{token}

Later ask for a link at {base}/sign-in with {DEMO_OWNER}: it comes into the captured mail.

"
    )
}

/// What a first start says, ready to be pasted into a shell.
fn welcome(base: &str, seeded: &Seeded) -> String {
    let (key, flow) = (&seeded.key, &seeded.flow.id);
    format!(
        r#"
The demo shop's API key is shown this once:

  export STAGEPOST_API_KEY={key}

Make an order, then move it to Printing, which mails the customer ten seconds later:

  curl -s {base}/v1/orders -H "Authorization: Bearer $STAGEPOST_API_KEY" -H 'Content-Type: application/json' \
    -d '{{"external_id":"1001","number":"1001","flow":"{flow}","customer":{{"name":"Ada","email":"ada@customer.example"}}}}'

  curl -s {base}/v1/orders/ORDER_ID/move -H "Authorization: Bearer $STAGEPOST_API_KEY" -H 'Content-Type: application/json' \
    -d '{{"stage":"Printing","expected_seq":1}}'

  curl -s {base}/v1/orders/ORDER_ID/timeline -H "Authorization: Bearer $STAGEPOST_API_KEY"

"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_reads_as_its_help_says() {
        assert_eq!(parsed(""), Ok(Command::Serve(Serve::default())));
        let full = Command::Serve(Serve {
            port: 0,
            folder: "/tmp/x".into(),
            shopify_base: Some(Url::parse("http://127.0.0.1:1/").unwrap()),
            smtp: Some(Relay::parse("smtps://a:b@mail.example").unwrap()),
            slow_mail: Duration::from_secs(3),
        });
        let line = "serve --port 0 --data /tmp/x --shopify-base http://127.0.0.1:1/ \
                    --smtp smtps://a:b@mail.example --slow-mail 3";
        assert_eq!(parsed(line), Ok(full));
        assert_eq!(parsed("demo"), Ok(Command::Demo { keep: false }));
        assert_eq!(parsed("demo --keep"), Ok(Command::Demo { keep: true }));
        for help in [
            "help",
            "--help",
            "serve -h",
            "demo --help",
            "bootstrap -h",
            "key --help",
            "sign-in -h",
            "redrive --help",
        ] {
            assert_eq!(parsed(help), Ok(Command::Help), "{help}");
        }
        let (place, table) = (Place::Folder(FOLDER.into()), Place::Table("orders".to_owned()));
        let shop = ShopId::parse("shop_boats").unwrap();
        let made = |place, shop, name: &str| {
            let (name, from) = (name.to_owned(), "a@b.example".to_owned());
            Ok(Command::Bootstrap { place, shop, name, from, owner: None, url: None })
        };
        let line = "bootstrap --shop Boats! --from a@b.example";
        assert_eq!(parsed(line), made(place.clone(), shop.clone(), "Boats!"));
        let line = "bootstrap --table orders --id shop_x1 --shop 舟 --from a@b.example";
        assert_eq!(parsed(line), made(table.clone(), ShopId::parse("shop_x1").unwrap(), "舟"));
        assert_eq!(
            parsed("key --shop shop_boats --table orders"),
            Ok(Command::Key { place: table.clone(), shop: shop.clone() })
        );
        assert_eq!(parsed("key --shop Boats"), Ok(Command::Key { place: place.clone(), shop: shop.clone() }));
        let (email, url) = (Some("ann@b.example".to_owned()), Some(Url::parse("https://b.example").unwrap()));
        assert_eq!(
            parsed("sign-in --shop Boats"),
            Ok(Command::SignIn { place, shop: shop.clone(), email: None, url: None })
        );
        assert_eq!(
            parsed("sign-in --shop Boats --email ann@b.example --url https://b.example --table orders"),
            Ok(Command::SignIn { place: table, shop, email, url })
        );
    }

    #[test]
    fn an_export_needs_a_shop() {
        let (place, shop) = (Place::Table("orders".to_owned()), ShopId::parse("shop_boats").unwrap());
        assert_eq!(parsed("export --table orders --shop Boats"), Ok(Command::Export { place, shop }));
        for wrong in ["export", "export --table orders", "export --shop B --from a@b.example"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_canary_needs_a_sender() {
        let (place, from) = (Place::Table("orders".to_owned()), "a@b.example".to_owned());
        let made = |place, to| Ok(Command::Canary { place, from: from.clone(), to });
        assert_eq!(parsed("canary --table orders --from a@b.example"), made(place, None));
        let to = Some("c@b.example".to_owned());
        let folder = Place::Folder(FOLDER.into());
        assert_eq!(parsed("canary --from a@b.example --to c@b.example"), made(folder, to));
        assert_eq!(parsed("canary --help"), Ok(Command::Help));
        for wrong in ["canary", "canary --table orders", "canary --from a --shop B", "bootstrap --to a"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_redrive_goes_from_one_queue_to_another() {
        let (from, to) = ("https://sqs/dead".to_owned(), "https://sqs/home".to_owned());
        let redrive = Ok(Command::Redrive { from, to });
        assert_eq!(parsed("redrive --from https://sqs/dead --to https://sqs/home"), redrive);
    }

    #[test]
    fn what_the_help_does_not_say_is_refused() {
        for wrong in [
            "redrive",
            "redrive --from https://sqs/dead",
            "redrive --to",
            "bootstrap",
            "bootstrap --shop B",
            "bootstrap --shop 舟 --from a@b.example",
            "key",
            "key --from a",
            "sign-in",
            "sign-in --shop B --from a",
            "sign-in --shop B --url x",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert!(parsed("key --shop B --data d --table t").is_err());
        for wrong in
            ["dance", "--port", "--port 65536", "--port x", "--shopify-base x", "serve --keep", "demo --port"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
