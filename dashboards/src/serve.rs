//! Serving a router over TCP and over the control socket, until told to stop.

use std::{future::IntoFuture as _, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

/// Requests still running when the server stops get so long.
const GRACE: Duration = Duration::from_secs(10);

/// No request of ours takes longer; one that does is cut, and its query with it.
const REQUEST_MAX: Duration = Duration::from_secs(180);

/// Serves over TCP; handlers learn the peer's address.
pub async fn tcp(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let service = timed(router).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    until_stopped(serving.into_future(), stop).await
}

/// Serves over a socket file.
pub async fn unix(listener: UnixListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let serving = axum::serve(listener, timed(router).into_make_service()).with_graceful_shutdown(stop.clone().cancelled_owned());
    until_stopped(serving.into_future(), stop).await
}

fn timed(router: Router) -> Router {
    router.layer(TimeoutLayer::with_status_code(axum::http::StatusCode::SERVICE_UNAVAILABLE, REQUEST_MAX))
}

async fn until_stopped(serving: impl Future<Output = std::io::Result<()>>, stop: CancellationToken) -> std::io::Result<()> {
    let grace = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = serving => done,
        () = grace => Ok(()),
    }
}
