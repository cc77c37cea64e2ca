//! A browser that does what a person does: finds things by the words on them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::Url;

/// A screen.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

pub const DESK: Screen = Screen { width: 1280, height: 900, dark: false };
pub const PHONE: Screen = Screen { width: 375, height: 800, dark: true };

/// Height of what a window of Chromium has around a page.
const FRAME: u32 = 143;

/// Longest wait for what a page is to show.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether somebody wants pictures: `STAGEPOST_SHOTS` names a folder for them.
pub fn takes_pictures() -> bool {
    std::env::var_os("STAGEPOST_SHOTS").is_some()
}

/// A browser with its driver; both end with it.
pub struct Browser {
    pub client: Client,
    screen: Screen,
    base: String,
    axe: String,
    _driver: Child,
    profile: tempfile::TempDir,
}

impl Drop for Browser {
    /// A driver that is killed leaves its Chromium behind, which knows nobody but its profile.
    fn drop(&mut self) {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let _unless_it_is_gone =
            std::process::Command::new("pkill").args(["-KILL", "-f", "--", &profile]).status();
    }
}

impl Browser {
    /// Opens one for the pages under `base`.
    pub async fn open(base: &str, screen: Screen) -> Self {
        let (driver, port) = driver().await;
        let profile = tempfile::tempdir().unwrap();
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={},{}", screen.width, screen.height),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        args.extend(screen.dark.then(|| "--force-dark-mode".to_owned()));
        let mut wanted = serde_json::map::Map::new();
        // A phone is narrower than a window of Chromium can be.
        let phone =
            json!({"deviceMetrics": {"width": screen.width, "height": screen.height, "pixelRatio": 1.0}});
        let mut options = json!({ "args": args });
        if screen.width < 500 {
            options["mobileEmulation"] = phone;
        }
        wanted.insert("goog:chromeOptions".to_owned(), options);
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium and chromium-driver must be installed");
        let axe = std::fs::read_to_string(axe_file()).expect("`make browser` fetches axe-core");
        Self { client, screen, base: base.trim_end_matches('/').to_owned(), axe, _driver: driver, profile }
    }

    /// Goes to a page.
    pub async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// The status that the page it is at was answered with.
    pub async fn status(&self) -> i64 {
        let status = self.ask("return performance.getEntriesByType('navigation')[0].responseStatus").await;
        status.as_i64().unwrap()
    }

    /// The path that it is at.
    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// All words of the page.
    pub async fn words(&self) -> String {
        // Between two pages there is nothing to read.
        let read =
            self.client.execute("return document.body ? document.body.innerText : ''", Vec::new()).await;
        read.ok().and_then(|words| words.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until the page shows these words.
    pub async fn sees(&self, words: &str) {
        let end = std::time::Instant::now() + PATIENCE;
        let mut shown = String::new();
        while std::time::Instant::now() < end {
            shown = self.words().await;
            if shown.contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("\"{words}\" is not on {}:\n{shown}", self.path().await);
    }

    /// The same, on a page without a barrier.
    pub async fn sees_well(&self, words: &str) {
        self.sees(words).await;
        self.is_accessible().await;
    }

    /// Clicks the link or button with these words, or with these in bold.
    pub async fn click(&self, words: &str) {
        let quoted = format!("'{}'", words.replace('\'', "\\'"));
        let find = format!(
            "//*[self::a or self::button or self::summary or self::label][normalize-space(.)={quoted} or \
             strong[normalize-space(.)={quoted}] or @aria-label={quoted} or @title={quoted}]"
        );
        self.shown(&find, words).await.click().await.unwrap();
    }

    /// The field with this label.
    pub async fn field(&self, label: &str) -> Element {
        let find = format!(
            "//*[(self::input or self::textarea or self::select) and (@id=//label[starts-with(normalize-space(.),\
             '{label}')]/@for or ancestor::label[starts-with(normalize-space(.),'{label}')] or @aria-label='{label}')]"
        );
        self.shown(&find, label).await
    }

    /// Writes into the field with this label, in place of what is there.
    pub async fn write(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses by the words of an option.
    pub async fn choose(&self, label: &str, option: &str) {
        self.field(label).await.select_by_label(option).await.unwrap();
    }

    async fn shown(&self, xpath: &str, words: &str) -> Element {
        let end = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < end {
            for element in self.client.find_all(Locator::XPath(xpath)).await.unwrap_or_default() {
                if element.is_displayed().await.unwrap_or_default() {
                    return element;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing called \"{words}\" on {}:\n{}", self.path().await, self.words().await);
    }

    /// WCAG 2.2 AA as far as axe can tell, and nothing wider than the screen.
    pub async fn is_accessible(&self) {
        let path = self.path().await;
        self.client.execute(&self.axe, Vec::new()).await.unwrap();
        let run = "const done = arguments[arguments.length - 1];
            const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
            axe.run(document, {runOnly: tags}).then(found => done(found.violations.map(v =>
                ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map(n => n.html + ' ' + n.failureSummary)}))))";
        let found = self.client.execute_async(run, Vec::new()).await.unwrap();
        let none = found.as_array().is_some_and(Vec::is_empty);
        assert!(none, "{path}: {}", serde_json::to_string_pretty(&found).unwrap());
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        let wide = self.client.execute(wide, Vec::new()).await.unwrap();
        assert!(wide.as_i64() <= Some(0), "{path} is {wide} pixels too wide");
    }

    /// A picture of the whole page, as `NAME-WIDTH-LIGHT.png`, if somebody wants pictures.
    pub async fn shot(&self, name: &str) {
        let Some(folder) = std::env::var_os("STAGEPOST_SHOTS").map(PathBuf::from) else { return };
        let Screen { width, height, dark } = self.screen;
        let whole =
            self.ask("return document.documentElement.scrollHeight").await.as_u64().unwrap_or_default();
        let whole = u32::try_from(whole).unwrap().clamp(height, 4_000);
        // A window that shows all of it has its navigation down to the end; a phone's is not changed by that.
        self.client.set_window_size(width, whole + FRAME).await.unwrap();
        let clip = json!({"x": 0, "y": 0, "width": width, "height": whole, "scale": 1});
        let taken = Picture(json!({"captureBeyondViewport": true, "clip": clip}));
        let taken = self.client.issue_cmd(taken).await.unwrap();
        self.client.set_window_size(width, height).await.unwrap();
        let png = BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let light = if dark { "dark" } else { "light" };
        std::fs::write(folder.join(format!("{name}-{width}-{light}.png")), png).unwrap();
    }

    /// Presses keys where the focus is.
    pub async fn press(&self, keys: &str) {
        let active = self.client.active_element().await.unwrap();
        active.send_keys(keys).await.unwrap();
    }

    /// What has the focus: its words, or its label.
    pub async fn focus(&self) -> String {
        let ask = "const e = document.activeElement; return (e.innerText || e.ariaLabel || e.title || \
                   (e.labels && e.labels[0] && e.labels[0].innerText) || e.tagName).trim()";
        let answer = self.client.execute(ask, Vec::new()).await.unwrap();
        answer.as_str().unwrap_or_default().to_owned()
    }

    /// What a script finds.
    pub async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }
}

/// Chromium's own command for a picture of more than the window shows.
#[derive(Debug)]
struct Picture(Value);

impl WebDriverCompatibleCommand for Picture {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": "Page.captureScreenshot", "params": self.0});
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Where axe-core is.
fn axe_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tools/axe.min.js")
}

/// A driver on a free port. It takes one that is free for IPv4 and gives up where IPv6 has lost it meanwhile: then
/// another is started.
async fn driver() -> (Child, u16) {
    for _ in 0..5 {
        if let Some(started) = started().await {
            return started;
        }
    }
    panic!("chromedriver says no port");
}

async fn started() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("chromium and chromium-driver must be installed: `make browser`");
    let mut lines = BufReader::new(driver.stdout.take()?).lines();
    while let Some(line) = lines.next_line().await.ok()? {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            let port = port.trim_end_matches('.').parse().ok()?;
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some((driver, port));
        }
    }
    None
}
