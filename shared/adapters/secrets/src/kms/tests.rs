//! KMS by a script: what it is asked, what it answers, and what becomes of that.

use std::collections::VecDeque;
use std::sync::Mutex;

use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use proptest::prelude::*;
use serde_json::{Value, json};
use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::ShopId;
use stagepost_testkit::{ManualClock, build};

use super::*;
use crate::{DeployedSecrets, KEY_LEN, LocalSecrets, NoKey};

const KIND: SecretKind = SecretKind::ChannelWebhook;

/// KMS: answers in turn, and remembers what it was asked.
#[derive(Debug, Clone, Default)]
struct Kms {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl HttpConnector for Kms {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        self.asked.lock().unwrap().push((operation, body));
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("an answer is left");
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Kms {
    /// A data key whose bytes are all `byte`, and the blob that stands for it.
    fn gives(&self, byte: u8) {
        let blob = STANDARD.encode([b'e', byte]);
        self.then(
            200,
            json!({"KeyId": "k", "Plaintext": STANDARD.encode([byte; KEY_LEN]), "CiphertextBlob": blob}),
        );
    }

    fn then(&self, status: u16, answer: Value) {
        self.answers.lock().unwrap().push_back((status, answer));
    }

    fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn config(&self) -> Builder {
        let connector = SharedHttpConnector::new(self.clone());
        aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
            .endpoint_url("http://kms.test")
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
    }

    /// A cold instance.
    fn secrets(&self) -> KmsSecrets {
        KmsSecrets::new(client(self.config()), "alias/stagepost".to_owned(), Arc::new(clock()))
    }
}

fn clock() -> ManualClock {
    ManualClock::new(build::at(build::START))
}

fn context(shop: &ShopId, kind: SecretKind) -> Value {
    json!({"shop": shop.as_str(), "kind": kind.as_str()})
}

#[tokio::test]
async fn a_secret_is_sealed_under_a_fresh_data_key_and_opened_by_what_kms_makes_of_it() {
    let (kms, shop) = (Kms::default(), build::shop());
    kms.gives(7);
    let sealed = kms.secrets().seal((&shop).into(), KIND, "whsec_sécret").await.unwrap();
    let (operation, asked) = kms.asked().remove(0);
    assert_eq!(operation, "GenerateDataKey");
    assert_eq!((&asked["KeyId"], &asked["KeySpec"]), (&json!("alias/stagepost"), &json!("AES_256")));
    assert_eq!(asked["EncryptionContext"], context(&shop, KIND));
    assert!(sealed.0.starts_with("k1:") && !sealed.0.contains("cret"));

    kms.gives(7);
    assert_eq!(kms.secrets().open((&shop).into(), KIND, &sealed).await.unwrap(), "whsec_sécret");
    let (operation, asked) = kms.asked().remove(0);
    assert_eq!(operation, "Decrypt");
    assert_eq!(asked["CiphertextBlob"], STANDARD.encode([b'e', 7]));
    assert_eq!(asked["EncryptionContext"], context(&shop, KIND));
}

#[tokio::test]
async fn a_warm_instance_asks_once_in_five_minutes_and_shares_what_it_knows() {
    let (kms, shop, clock) = (Kms::default(), build::shop(), clock());
    let warm = KmsSecrets::new(client(kms.config()), "key".to_owned(), Arc::new(clock.clone()));
    kms.gives(1);
    let sealed = warm.seal((&shop).into(), KIND, "x").await.unwrap();
    let open = || async { warm.clone().open((&shop).into(), KIND, &sealed).await.unwrap() };
    open().await;
    clock.advance(SignedDuration::from_secs(299));
    open().await;
    assert_eq!(kms.asked().len(), 1, "the seal's own");
    clock.advance(SignedDuration::from_secs(1));
    kms.gives(1);
    open().await;
    open().await;
    assert_eq!(kms.asked().len(), 1);
    // A clock that was set back makes nothing younger.
    clock.set(build::at("2020-01-01T00:00:00Z"));
    kms.gives(1);
    open().await;
    assert_eq!(kms.asked().len(), 1);
}

#[test]
fn warm_data_keys_are_bounded() {
    let (keys, cipher) = (WarmKeys::default(), Cipher::new(&[1; KEY_LEN]).unwrap());
    for n in 0..warm::KEYS_MAX * 2 + 10 {
        keys.put((&build::shop()).into(), KIND, &n.to_string(), build::at(build::START), &cipher);
    }
    assert!(keys.len() <= warm::KEYS_MAX);
}

#[tokio::test]
async fn law_19_another_shop_or_use_asks_kms_for_itself_and_opens_nothing_even_if_it_gets_the_key() {
    let (kms, shop) = (Kms::default(), build::shop());
    let secrets = kms.secrets();
    kms.gives(3);
    let sealed = secrets.seal((&shop).into(), KIND, "x").await.unwrap();
    kms.asked();
    for (other, kind) in [(build::other_shop(), KIND), (shop, SecretKind::EndpointSecret)] {
        kms.gives(3);
        let error = secrets.open((&other).into(), kind, &sealed).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Permanent);
        assert_eq!(kms.asked().remove(0).1["EncryptionContext"], context(&other, kind));
    }
}

#[tokio::test]
async fn what_is_nobodys_yet_is_sealed_for_the_deployment() {
    let (kms, kind) = (Kms::default(), SecretKind::InboundMessage);
    kms.gives(3);
    let sealed = kms.secrets().seal(Scope::Deployment, kind, "x").await.unwrap();
    let context = json!({"scope": "deployment", "kind": "inbound-message"});
    assert_eq!(kms.asked().remove(0).1["EncryptionContext"], context);
    kms.gives(3);
    assert!(kms.secrets().open((&build::shop()).into(), kind, &sealed).await.is_err());
}

#[tokio::test]
async fn what_kms_says_decides_whether_it_is_tried_again() {
    let (kms, shop) = (Kms::default(), build::shop());
    kms.gives(1);
    let sealed = kms.secrets().seal((&shop).into(), KIND, "x").await.unwrap();
    let said = [
        (400, "ThrottlingException", Disposition::RETRY),
        (500, "KMSInternalException", Disposition::RETRY),
        (503, "KeyUnavailableException", Disposition::RETRY),
        (503, "DependencyTimeoutException", Disposition::RETRY),
        (400, "ExpiredTokenException", Disposition::RETRY),
        (400, "DisabledException", Disposition::RETRY),
        (400, "KMSInvalidStateException", Disposition::RETRY),
        (400, "InvalidCiphertextException", Disposition::Permanent),
        (400, "IncorrectKeyException", Disposition::Permanent),
        (400, "AccessDeniedException", Disposition::Permanent),
        (400, "NotFoundException", Disposition::Permanent),
    ];
    for (status, code, disposition) in said {
        let answer = || json!({"__type": code, "message": "arn:aws:kms:eu-central-1:1:key/k"});
        kms.then(status, answer());
        let error = kms.secrets().open((&shop).into(), KIND, &sealed).await.unwrap_err();
        assert_eq!((error.disposition, error.action), (disposition, SecretAction::Open), "{code}");
        assert_eq!(error.why, format!("the key service: {code}"), "and no more than that");
        kms.then(status, answer());
        let error = kms.secrets().seal((&shop).into(), KIND, "x").await.unwrap_err();
        assert_eq!((error.disposition, error.action), (disposition, SecretAction::Seal), "{code}");
    }
}

#[tokio::test]
async fn a_data_key_of_another_size_opens_nothing() {
    let (kms, shop) = (Kms::default(), build::shop());
    kms.gives(1);
    let sealed = kms.secrets().seal((&shop).into(), KIND, "x").await.unwrap();
    for answer in [json!({"KeyId": "k"}), json!({"KeyId": "k", "Plaintext": STANDARD.encode([1; 16])})] {
        kms.then(200, answer);
        kms.secrets().open((&shop).into(), KIND, &sealed).await.unwrap_err();
    }
}

#[tokio::test]
async fn an_oversized_secret_is_refused() {
    let kms = Kms::default();
    kms.gives(1);
    let error = kms.secrets().seal((&build::shop()).into(), KIND, &"x".repeat(4_097)).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Permanent);
}

#[tokio::test]
async fn a_text_that_is_none_of_ours_is_refused_and_kms_is_not_asked() {
    let (kms, shop) = (Kms::default(), build::shop());
    let huge = format!("k1:{}:aaaa", "a".repeat(sealed_max(KIND)));
    for text in ["", "k1:", "k1::", "k1:aaaa", "k1::aaaa", "k1:!:aaaa", "k1:aaaa:!", "v1:aaaa", &huge] {
        let error = kms.secrets().open((&shop).into(), KIND, &Sealed(text.to_owned())).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Permanent, "{text}");
    }
    assert!(kms.asked().is_empty());
}

#[test]
fn law_19_debug_output_shows_nothing() {
    let kms = Kms::default();
    assert_eq!(format!("{:?}", kms.secrets()), "KmsSecrets(…)");
    let deployed =
        DeployedSecrets::new(kms.config(), Some("key".into()), Some([7; KEY_LEN]), Arc::new(clock()));
    assert_eq!(format!("{:?}", deployed.unwrap()), "Kms(KmsSecrets(…), Some(LocalSecrets(…)))");
}

fn deployed(kms: &Kms, kms_key: bool, own: bool) -> Result<DeployedSecrets, NoKey> {
    let kms_key = kms_key.then(|| "key".to_owned());
    DeployedSecrets::new(kms.config(), kms_key, own.then_some([7; KEY_LEN]), Arc::new(clock()))
}

#[tokio::test]
async fn a_deployment_seals_with_the_key_service_if_it_has_one_and_opens_what_its_own_key_sealed_before() {
    let (kms, shop) = (Kms::default(), build::shop());
    let before = deployed(&kms, false, true).unwrap();
    let old = before.seal((&shop).into(), KIND, "old").await.unwrap();
    assert!(old.0.starts_with("v1:"));
    assert!(kms.asked().is_empty());
    assert_eq!(
        LocalSecrets::from_key([7; KEY_LEN]).unwrap().open((&shop).into(), KIND, &old).await.unwrap(),
        "old"
    );

    let after = deployed(&kms, true, true).unwrap();
    kms.gives(1);
    let new = after.seal((&shop).into(), KIND, "new").await.unwrap();
    assert!(new.0.starts_with("k1:"));
    assert_eq!(after.open((&shop).into(), KIND, &old).await.unwrap(), "old");
    assert_eq!(after.open((&shop).into(), KIND, &new).await.unwrap(), "new");

    // Where the key is not: the text says so before anybody is asked.
    kms.asked();
    for (secrets, sealed) in [(before, &new), (deployed(&kms, true, false).unwrap(), &old)] {
        let error = secrets.open((&shop).into(), KIND, sealed).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Permanent);
        assert_eq!(error.why, "it was sealed with a key that is not here");
    }
    assert!(kms.asked().is_empty());
    assert_eq!(deployed(&kms, false, false).unwrap_err(), NoKey);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(k1:)?[A-Za-z0-9+/=:]{0,80}") {
        let _ = parts(SecretKind::EndpointSecret, &Sealed(text));
    }
}
