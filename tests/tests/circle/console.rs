//! The console over HTTP: in by a mailed link, a move that is taken back before anything has left, many at once.

use std::sync::Mutex;

use serde_json::json;
use stagepost_tests::{World, boats};

/// A browser: keeps cookies, follows nothing by itself.
struct Browser {
    base: String,
    http: reqwest::Client,
    cookies: Mutex<Vec<(String, String)>>,
}

/// A page.
struct Page {
    status: u16,
    to: String,
    text: String,
}

impl Page {
    /// The value of the first input of this name.
    fn value(&self, name: &str) -> String {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    #[expect(clippy::disallowed_methods, reason = "a test's client for a loopback host")]
    fn at(world: &World) -> Self {
        let stays = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(stays).build().unwrap();
        Self { base: world.host.base_url(), http, cookies: Mutex::default() }
    }

    async fn get(&self, path: &str) -> Page {
        self.sent(self.http.get(format!("{}{path}", self.base))).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.base)).header("origin", &self.base);
        self.sent(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// Sends a form of a page with the page's keys.
    async fn send(&self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let (csrf, once) = (page.value("csrf"), page.value("once"));
        let keys = [("csrf", csrf.as_str()), ("once", once.as_str())];
        self.post(path, &[&keys, fields].concat()).await
    }

    async fn sent(&self, request: reqwest::RequestBuilder) -> Page {
        let kept = self.cookies.lock().unwrap().clone();
        let cookies = kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in response.headers().get_all("set-cookie") {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            cookies.retain(|(known, _)| known != name);
            cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
        }
        let to = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        Page {
            status: response.status().as_u16(),
            to: to.unwrap_or_default(),
            text: response.text().await.unwrap(),
        }
    }
}

/// A member who signs in by the link of the last mail.
async fn came(world: &World, role: &str) -> Browser {
    let ann = json!({"email": "ann@people.example", "name": "Ann", "role": role});
    world.api.post("/v1/members", &ann).await.ok();
    world.settle().await;
    let mail = world.mails().pop().unwrap().text.unwrap();
    let link = mail.split_whitespace().find(|word| word.contains("/sign-in/")).unwrap().to_owned();
    let path = link.strip_prefix(&world.host.base_url()).unwrap().to_owned();
    let browser = Browser::at(world);
    let page = browser.get(&path).await;
    assert!(page.text.contains("Sign in to Paper Boat") && page.text.contains("Ann"));
    assert_eq!(browser.post(&path, &[]).await.to, "/");
    assert_eq!(Browser::at(world).post(&path, &[]).await.status, 403, "it lets in once");
    browser
}

/// Moves the order to its next stage and takes that back, as the buttons of its page do.
async fn there_and_back(world: &World, browser: &Browser, id: &str) {
    let path = format!("/orders/{id}");
    let (from, seq) = (world.stage(id).await, world.order(id).await["seq"].to_string());
    let page = browser.get(&path).await;
    let stage = page.value("stage");
    browser.send(&page, &format!("{path}/move"), &[("stage", &stage), ("seq", &seq)]).await;
    assert_ne!(world.stage(id).await, from);
    let page = browser.get(&path).await;
    let (back, seq) = (page.value("stage"), page.value("seq"));
    browser.send(&page, &format!("{path}/undo"), &[("stage", &back), ("seq", &seq)]).await;
    assert_eq!(world.stage(id).await, from);
}

#[tokio::test]
async fn law_12_what_waited_when_a_move_was_made_leaves_once_that_is_taken_back() {
    let world = World::start().await;
    let browser = came(&world, "member").await;
    let heard = world.mails().len();
    let external = world.shopify.create_order(&boats("Ada", "ada@customer.example"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    // The mail of New waits for its grace still.
    there_and_back(&world, &browser, &id).await;
    there_and_back(&world, &browser, &id).await;
    assert_eq!(world.mails().len(), heard);
    world.pass(60).await;
    assert_eq!(world.subjects().split_off(heard).len(), 1, "one mail of New, none of Printing");
    assert!(world.mails().last().unwrap().subject.contains("New"));
    assert_eq!(world.receiver.received().len(), 0);
}

#[tokio::test]
async fn law_12_a_move_in_the_console_is_taken_back_and_nobody_hears_of_it() {
    let world = World::start().await;
    let browser = came(&world, "member").await;
    let external = world.shopify.create_order(&boats("Ada", "ada@customer.example"));
    world.deliver_shopify().await;
    world.pass(60).await;
    let (id, heard) = (world.shopify_order(&external), world.mails().len());
    let path = format!("/orders/{id}");
    let seq = world.order(&id).await["seq"].to_string();
    let page = browser.get(&path).await;
    assert_eq!(page.status, 200);
    let stage = page.value("stage");
    let moved = browser.send(&page, &format!("{path}/move"), &[("stage", &stage), ("seq", &seq)]).await;
    assert_eq!((moved.status, moved.to.as_str()), (303, path.as_str()));
    assert_eq!(world.stage(&id).await, "Printing");
    let page = browser.get(&path).await;
    assert!(page.text.contains("Nothing has left yet") && page.text.contains("by Ann"));
    let (back, seq) = (page.value("stage"), page.value("seq"));
    let undone = browser.send(&page, &format!("{path}/undo"), &[("stage", &back), ("seq", &seq)]).await;
    assert_eq!(undone.status, 303);
    assert_eq!(world.stage(&id).await, "New");
    world.pass(60).await;
    assert_eq!((world.mails().len(), world.receiver.received().len()), (heard, 0));
    assert!(
        browser.get(&path).await.text.contains("Whoever moved the order wanted nothing to follow from it.")
    );
}
