//! Runs as OTLP traces. In: the environment variables of the OpenTelemetry specification (`OTEL_EXPORTER_OTLP_ENDPOINT`
//! and its like); out: a layer for the log, and a guard that sends what is left. Without an endpoint there is neither.
//!
//! A trace is one run for one AgentRuntime, and below it the requests that the run makes. What happens alongside runs, such
//! as the renewal of a lease, makes no trace.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use tokio::runtime::Handle;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use super::logging::RUN;

/// What names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The share of runs that is traced, from 0 to 1.
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
/// Longest that one batch may take, and the last one at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most that is read of a collector's answer.
const ANSWER_BYTES: usize = 64 << 10;

/// Sends what is left when the program ends.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends what is left. Must not be called on the thread that the network runs on, which it waits for.
    pub fn end(&self) -> Result<(), String> {
        self.0.shutdown_with_timeout(PATIENCE).map_err(|error| error.to_string())
    }
}

/// A layer that makes traces, if the environment names a collector. `runtime`: where the requests to it run.
///
/// # Errors
/// A variable that cannot be understood, or no root certificates on this machine.
pub fn layer<S>(runtime: &Handle) -> Result<Option<(impl Layer<S> + use<S>, Traces)>, String>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if disabled || !ENDPOINTS.iter().any(is_set) {
        return Ok(None);
    }
    let share = match std::env::var(SHARE) {
        Ok(text) if !text.is_empty() => {
            let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| format!("{SHARE}: {text:?} is no number from 0 to 1"))?
        }
        _ => 1.0,
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Post::new(runtime)?)
        .build()
        .map_err(|error| format!("OTLP: {error}"))?;
    let mut about = Resource::builder();
    if !is_set(&"OTEL_SERVICE_NAME") {
        about = about.with_service_name(env!("CARGO_PKG_NAME"));
    }
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Runs { share })
        .with_resource(about.with_attribute(version).build())
        .build();
    let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_threads(false)
        .with_location(false)
        .with_filter(filter_fn(belongs).with_max_level_hint(LevelFilter::DEBUG));
    Ok(Some((layer, Traces(provider))))
}

/// Our spans and those of requests; of what is logged what would be logged by default.
fn belongs(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().starts_with("kubectl_skills");
    if metadata.is_span() {
        return ours || metadata.target().starts_with("kube_client");
    }
    ours && *metadata.level() <= tracing::Level::INFO
}

/// Traces begin with a run. Of those a share is taken, by the number of the trace.
#[derive(Debug, Clone)]
struct Runs {
    share: f64,
}

impl ShouldSample for Runs {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        id: TraceId,
        name: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent.filter(|parent| parent.has_active_span());
        let taken = match parent {
            Some(parent) => parent.span().span_context().is_sampled(),
            None => name == RUN && falls_into(id, self.share),
        };
        SamplingResult {
            decision: if taken { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state: parent.map_or_else(TraceState::default, |parent| {
                parent.span().span_context().trace_state().clone()
            }),
        }
    }
}

/// As `TraceIdRatioBased` of the specification: the last seven bytes as a fraction.
fn falls_into(id: TraceId, share: f64) -> bool {
    let [.., a, b, c, d, e, f, g] = id.to_bytes();
    let number = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    (number as f64) < share * (1u64 << 56) as f64
}

/// Posts over the connections of this process' network runtime; the exporter asks from a thread of its own.
#[derive(Debug, Clone)]
struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Post {
    fn new(runtime: &Handle) -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| format!("OTLP: root certificates: {error}"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), runtime: runtime.clone() })
    }
}

#[async_trait::async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let answer = self.runtime.spawn(async move {
            let exchange = async {
                let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
                let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
                Ok::<_, HttpError>(Response::from_parts(head, body))
            };
            tokio::time::timeout(PATIENCE, exchange).await
        });
        answer.await??
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(last: u8) -> TraceId {
        TraceId::from_bytes([7, 7, 7, 7, 7, 7, 7, 7, 7, last, 0, 0, 0, 0, 0, 1])
    }

    fn sampled(share: f64, name: &str, last: u8) -> bool {
        let result = Runs { share }.should_sample(None, id(last), name, &SpanKind::Internal, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    /// A collector that is paid by the span would drown in renewals of the lease.
    #[test]
    fn only_runs_begin_a_trace_and_a_share_of_them() {
        assert!(sampled(1.0, RUN, 0xff) && sampled(0.5, RUN, 0x7f));
        assert!(!sampled(0.5, RUN, 0x80) && !sampled(0.0, RUN, 0));
        assert!(!sampled(1.0, "HTTP", 0));
    }
}
