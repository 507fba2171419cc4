//! A static file server for pages that use shared memory.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Result, anyhow};
use tiny_http::{Header, Request, Response, Server};

/// A server on this machine only, running until the process ends.
pub struct Served {
    port: u16,
    workers: Vec<thread::JoinHandle<()>>,
}

impl Served {
    /// The address of the folder.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Serves until the process is ended from outside.
    pub fn forever(self) {
        for worker in self.workers {
            // A worker ends only with the process.
            let _ = worker.join();
        }
    }
}

/// Serves a folder on `port` (0: any free one).
///
/// # Errors
/// The port is taken.
pub fn serve(folder: &Path, port: u16) -> Result<Served> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = Server::http(address).map_err(|error| anyhow!("cannot listen on port {port}: {error}"))?;
    let port = server.server_addr().to_ip().map_or(port, |address| address.port());
    let server = Arc::new(server);
    let workers = (0..4)
        .map(|_| {
            let (server, folder) = (Arc::clone(&server), folder.to_path_buf());
            thread::spawn(move || {
                for request in server.incoming_requests() {
                    answer(request, &folder);
                }
            })
        })
        .collect();
    Ok(Served { port, workers })
}

fn answer(request: Request, folder: &Path) {
    let path = request.url().split(['?', '#']).next().unwrap_or_default();
    let found = locate(folder, path).and_then(|path| Some((content_type(&path), File::open(path).ok()?)));
    // The other side may have gone; there is nobody to tell.
    let _ = match found {
        Some((kind, file)) => {
            let mut response = Response::from_file(file);
            for (name, value) in [
                ("Content-Type", kind),
                ("Cache-Control", "no-cache"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
                ("Cross-Origin-Embedder-Policy", "require-corp"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
            ] {
                if let Ok(header) = Header::from_bytes(name, value) {
                    response.add_header(header);
                }
            }
            request.respond(response)
        }
        None => request.respond(Response::from_string("not found").with_status_code(404)),
    };
}

/// The file for a URL path; nothing outside the folder and nothing hidden.
fn locate(folder: &Path, url: &str) -> Option<PathBuf> {
    let relative = Path::new(url.trim_start_matches('/'));
    let plain = relative.components().all(|part| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    });
    let path = folder.join(relative);
    let path = if path.is_dir() { path.join("index.html") } else { path };
    (plain && path.is_file()).then_some(path)
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("gz") => "application/gzip",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::locate;
    use crate::shell::root;

    #[test]
    fn serves_only_files_below_the_folder() {
        let folder = root().join("xtask");
        assert_eq!(locate(&folder, "/Cargo.toml"), Some(folder.join("Cargo.toml")));
        assert_eq!(locate(&folder, "/src/main.rs"), Some(folder.join("src/main.rs")));
        for outside in
            ["/../Cargo.toml", "/src/../../Cargo.toml", "/", "/src", "/missing", "//etc/passwd", "/.git"]
        {
            assert_eq!(locate(&folder, outside), None, "{outside}");
        }
    }
}
