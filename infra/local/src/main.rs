//! `stagepost`: all of it in one process on this machine.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use stagepost_domain::id::ShopId;
use stagepost_local::bootstrap::{BootstrapError, Place, bootstrap, owner_key, shop_id};
use stagepost_local::seed::{Seeded, seed};
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
  help       Show this

Options of serve:
  --port N            Listen on 127.0.0.1:N (default 8787; 0 takes a free port)
  --data DIR          Keep the data in DIR (default .stagepost)
  --shopify-base URL  Call a stand-in at URL instead of Shopify
  --smtp URL          Send mails by a relay, smtps://user:password@host, instead of into the mailbox
  --slow-mail N       The mailbox answers after N seconds, to try what a crash in between does

Option of demo:
  --keep              Stay up afterwards, on port 8787 if it is free

Options of bootstrap and key:
  --shop NAME         The shop's name (for key: its name or its id)
  --from ADDRESS      Sender of its mails (bootstrap)
  --id shop_ID        Its id (bootstrap; without it, the letters and digits of its name)
  --data DIR          Where the data is (default .stagepost); no host may be running on it
  --table NAME        A table in DynamoDB instead, with region and credentials of the environment

The environment variable STAGEPOST_LOG sets what is logged to stderr (default warn).
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Demo { keep: bool },
    Serve(Serve),
    Bootstrap { place: Place, shop: ShopId, name: String, from: String },
    Key { place: Place, shop: ShopId },
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

/// What `bootstrap` and `key` are told.
#[derive(Default)]
struct Admin {
    help: bool,
    shop: Option<String>,
    from: Option<String>,
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
    let told = Admin::parse(arguments, &["--shop", "--from", "--id", "--data", "--table"])?;
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
    Ok(Command::Bootstrap { place, shop, name, from })
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
        Ok(Command::Bootstrap { place, shop, name, from }) => {
            owns(&shop, bootstrap(&place, &shop, &name, &from).await)
        }
        Ok(Command::Key { place, shop }) => owns(&shop, owner_key(&place, &shop).await),
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

/// Prints an owner's key, or says why there is none.
fn owns(shop: &ShopId, key: Result<String, BootstrapError>) -> Done {
    let key = key?;
    print(&format!("An owner key of {shop}, shown this once:\n\n  export STAGEPOST_API_KEY={key}\n"))
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
        ..HostConfig::in_folder(&folder)
    };
    let host = start(config).await?;
    let base = host.base_url();
    print(&format!("Stagepost listens on {base}, its data is in {}\n", folder.display()))?;
    if let Some(seeded) = seed(host.core()).await? {
        print(&welcome(&base, &seeded))?;
    }
    print(&format!("Console: {base}/ (sign in with an API key)\nCaptured mail: {base}/_local/mailbox\n"))?;
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

/// What a first start says, ready to be pasted into a shell.
fn welcome(base: &str, seeded: &Seeded) -> String {
    let (key, flow) = (&seeded.key, &seeded.flow.id);
    format!(
        r#"
A demo shop is ready. Its API key is shown this once:

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
        for help in ["help", "--help", "serve -h", "demo --help", "bootstrap -h", "key --help"] {
            assert_eq!(parsed(help), Ok(Command::Help), "{help}");
        }
        let (place, table) = (Place::Folder(FOLDER.into()), Place::Table("orders".to_owned()));
        let shop = ShopId::parse("shop_boats").unwrap();
        let made = |place, shop, name: &str| {
            Ok(Command::Bootstrap { place, shop, name: name.to_owned(), from: "a@b.example".to_owned() })
        };
        let line = "bootstrap --shop Boats! --from a@b.example";
        assert_eq!(parsed(line), made(place.clone(), shop.clone(), "Boats!"));
        let line = "bootstrap --table orders --id shop_x1 --shop 舟 --from a@b.example";
        assert_eq!(parsed(line), made(table.clone(), ShopId::parse("shop_x1").unwrap(), "舟"));
        assert_eq!(
            parsed("key --shop shop_boats --table orders"),
            Ok(Command::Key { place: table, shop: shop.clone() })
        );
        assert_eq!(parsed("key --shop Boats"), Ok(Command::Key { place, shop }));
        for wrong in [
            "bootstrap",
            "bootstrap --shop B",
            "bootstrap --shop 舟 --from a@b.example",
            "key",
            "key --from a",
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
