//! `stagepost`: all of it in one process on this machine.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stagepost_app::people::link_url;
use stagepost_domain::id::ShopId;
use stagepost_lambda::{aws, env};
use stagepost_local::bootstrap::{NewShop, Place, bootstrap, canary, exported, owner_key, sign_in};
use stagepost_local::redrive::{Redriven, redrive};
use stagepost_local::seed::{DEMO_OWNER, Seeded, demo_link, seed};
use stagepost_local::{HostConfig, start};
use stagepost_smtp::Relay;
use tracing_subscriber::EnvFilter;
use url::Url;

mod cli;

use cli::{Bootstrap, Called, Cli, Command, PORT, Serve};

#[tokio::main]
async fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_env("STAGEPOST_LOG").unwrap_or_else(|_| EnvFilter::new("warn,dynoxide=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    match done(Cli::parse().asked()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads_it = writeln!(std::io::stderr(), "stagepost: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn done(command: Command) -> Done {
    match command {
        Command::Serve(options) => serve(options).await,
        Command::Demo { keep } => demo(keep).await,
        Command::Bootstrap(new) => bootstrapped(new).await,
        Command::Key { shop: Called { id }, at } => owns(&id, &owner_key(&at.place(), &id).await?),
        Command::SignIn { shop, email, console, at } => {
            signed_in(&at.place(), &shop.id, email.as_deref(), console.url).await
        }
        Command::Export { shop, at } => export(&at.place(), &shop.id).await,
        Command::Canary { from, to, at } => sings(&at.place(), &from, to.as_deref()).await,
        Command::Redrive { from, to } => redriven(&from, &to).await,
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

async fn bootstrapped(asked: Bootstrap) -> Done {
    let shop = asked.shop()?;
    let Bootstrap { name, from, owner, console, at, .. } = asked;
    let place = at.place();
    // What cannot be printed must not be made.
    let url = owner.as_ref().map(|_| start_of_links(&place, console.url)).transpose()?;
    let new = NewShop { shop: &shop, name: &name, from: &from, owner: owner.as_deref() };
    let made = bootstrap(&place, new).await?;
    owns(&shop, &made.key)?;
    match url.zip(made.link) {
        Some((url, token)) => opens(&shop, &url, &token),
        None => Ok(()),
    }
}

async fn signed_in(place: &Place, shop: &ShopId, email: Option<&str>, url: Option<Url>) -> Done {
    let url = start_of_links(place, url)?;
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
fn start_of_links(place: &Place, told: Option<Url>) -> Result<Url, Box<dyn std::error::Error>> {
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
    let Serve { port, folder, shopify_base, smtp, slow_mail } = options;
    let smtp = smtp.map(|url| Relay::parse(&url).map_err(|e| format!("--smtp {e}"))).transpose()?;
    let config = HostConfig {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        shopify_base,
        mail_delay: Duration::from_secs(slow_mail),
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
