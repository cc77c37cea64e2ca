//! Styles and scripts, built in. Their names carry a hash of what is in them, so that a browser keeps each for
//! good and never uses an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use stagepost_domain::id::body_hash;

use crate::error::{Failed, Trouble};

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    path: String,
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        asset("console.css", "text/css; charset=utf-8", include_bytes!("../assets/console.css")),
        asset("console.js", "text/javascript; charset=utf-8", include_bytes!("../assets/console.js")),
        asset("htmx.js", "text/javascript; charset=utf-8", include_bytes!("../assets/htmx.min.js")),
        asset("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
    ]
});

fn asset(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = body_hash(bytes);
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let path = format!("/assets/{stem}.{}.{ending}", hash.get(..12).unwrap_or_default());
    Asset { name, kind, bytes, path }
}

/// Where an asset is.
pub fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.path.as_str())
}

/// `GET /assets/{name}`
pub async fn serve(Path(name): Path<String>) -> Response {
    let asked = ASSETS.iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(name.as_str()));
    let Some(asset) = asked else { return Failed::new(Trouble::not_found("file")).into_response() };
    let headers =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (StatusCode::OK, headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_what_is_in_it() {
        let (a, b) = (asset("a.css", "", b"1"), asset("a.css", "", b"2"));
        assert_ne!(a.path, b.path);
        assert!(a.path.starts_with("/assets/a.") && a.path.ends_with(".css"));
        assert!(ASSETS.iter().all(|asset| path(asset.name) == asset.path));
    }
}
