//! `stagepost`: all of it in one process on this machine.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use stagepost_local::seed::{Seeded, seed};
use stagepost_local::{HostConfig, start};
use tracing_subscriber::EnvFilter;
use url::Url;

const PORT: u16 = 8787;
const FOLDER: &str = ".stagepost";
const HELP: &str = "Stagepost, all of it in one process on this machine.

Usage: stagepost [COMMAND] [OPTIONS]

Commands:
  serve  Serve the API and the inbound webhooks (without a command, too)
  demo   Play the main job with stand-ins for the stores, and check it
  help   Show this

Options of serve:
  --port N            Listen on 127.0.0.1:N (default 8787; 0 takes a free port)
  --data DIR          Keep the data in DIR (default .stagepost)
  --shopify-base URL  Call a stand-in at URL instead of Shopify
  --slow-mail N       The mailbox answers after N seconds, to try what a crash in between does

Option of demo:
  --keep              Stay up afterwards, on port 8787 if it is free

The environment variable STAGEPOST_LOG sets what is logged to stderr (default warn).
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Demo { keep: bool },
    Serve(Serve),
}

/// The options of `serve`.
#[derive(Debug, PartialEq, Eq)]
struct Serve {
    port: u16,
    folder: PathBuf,
    shopify_base: Option<Url>,
    slow_mail: Duration,
}

impl Default for Serve {
    fn default() -> Self {
        Self { port: PORT, folder: PathBuf::from(FOLDER), shopify_base: None, slow_mail: Duration::ZERO }
    }
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter().peekable();
    match arguments.next_if(|a| !a.starts_with('-')).as_deref() {
        None | Some("serve") => parse_serve(arguments),
        Some("demo") => parse_demo(arguments),
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
    let Serve { port, folder, shopify_base, slow_mail: mail_delay } = options;
    let config = HostConfig {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        shopify_base,
        mail_delay,
        ..HostConfig::in_folder(&folder)
    };
    let host = start(config).await?;
    let base = host.base_url();
    print(&format!("Stagepost listens on {base}, its data is in {}\n", folder.display()))?;
    if let Some(seeded) = seed(host.core()).await? {
        print(&welcome(&base, &seeded))?;
    }
    print(&format!("Captured mail: {base}/_local/mailbox\n"))?;
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
            slow_mail: Duration::from_secs(3),
        });
        let line = "serve --port 0 --data /tmp/x --shopify-base http://127.0.0.1:1/ --slow-mail 3";
        assert_eq!(parsed(line), Ok(full));
        assert_eq!(parsed("demo"), Ok(Command::Demo { keep: false }));
        assert_eq!(parsed("demo --keep"), Ok(Command::Demo { keep: true }));
        for help in ["help", "--help", "serve -h", "demo --help"] {
            assert_eq!(parsed(help), Ok(Command::Help), "{help}");
        }
        for wrong in
            ["dance", "--port", "--port 65536", "--port x", "--shopify-base x", "serve --keep", "demo --port"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
