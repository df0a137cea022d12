//! `verify`: whether skill images are signed by who is trusted.

use std::collections::BTreeSet;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::manifest::skill_images::skill_images;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::signature::trust::Trust;
use kubectl_skills::skill::signature::{Signer, Verified};
use serde_json::{Value, json};

use super::files::left_out;
use super::inspect::platform;
use crate::args::KindsArgs;
use crate::exit::{Failure, Outcome, Run};
use crate::look::Mood;
use crate::net::block_on;
use crate::planning::DEFAULT_NAMESPACE;
use crate::progress::Progress;
use crate::registry::args::RegistryArgs;
use crate::registry::error::RegistryError;
use crate::registry::interrupt::unless_interrupted;
use crate::registry::place::Place;
use crate::registry::reference::Reference;
use crate::registry::signatures::{Checked, Of, Part, check_image};
use crate::registry::store::Stores;
use crate::registry::trust::TrustArgs;
use crate::source::Input;
use crate::table::Table;
use crate::{notes, sink};

mod words;

/// The short names that cosign has for types of attestations.
const TYPES: [(&str, &str); 8] = [
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("link", "https://in-toto.io/Link/v1"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
];

/// Verify that skill images are signed by who is trusted: cosign keys, or identities with certificates
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # By the key of the publisher of the skill
  kubectl skills verify --key cosign.pub quay.io/acme/skills/pdf:1.0.0

  # All skill images of manifests, signed by one workflow of GitHub without a key
  kubectl skills verify -f manifests -R \\
    --certificate-identity https://github.com/acme/pdf/.github/workflows/ci.yaml@refs/heads/main \\
    --certificate-oidc-issuer https://token.actions.githubusercontent.com

  # With its bill of materials, in an OCI layout, without a network
  kubectl skills verify --key cosign.pub --attestation spdx skills.tar:quay.io/acme/pdf:1.0.0

Exit codes: 0 every image is verified; 1 one is not; 2 usage; 3 bad input; 4 a registry refused or failed: what it did not \
say is never taken for \"unsigned\"")]
pub struct Args {
    /// What: references to a registry, or OCI layouts (./PATH, FILE.tar, oci:PATH) with [:NAME|@DIGEST]
    #[arg(value_name = "REFERENCE|LAYOUT", conflicts_with = "files")]
    what: Vec<String>,
    /// Look at the signatures of the manifest of a platform as well: os/architecture
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<String>,
    /// Take any attestation by a trusted signer for a signature, as cosign does
    #[arg(long)]
    any_predicate: bool,
    /// Demand an attestation of a type as well: its URI, or slsaprovenance1, spdx, cyclonedx, vuln, ...; repeatable
    #[arg(long, value_name = "TYPE", value_parser = predicate_type)]
    attestation: Vec<String>,
    /// Output format: table, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Table, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    kinds: KindsArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
}

fn predicate_type(text: &str) -> Result<String, String> {
    if let Some((_, uri)) = TYPES.iter().find(|(name, _)| *name == text) {
        return Ok((*uri).to_owned());
    }
    if text.contains(':') {
        return Ok(text.to_owned());
    }
    let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
    Err(format!("neither a URI nor one of {}", names.join(", ")))
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if !args.trust.given() {
        return Err(Failure::Usage(
            "say whose signature counts: --key FILE, or --certificate-identity NAME with --certificate-oidc-issuer URL".into(),
        ));
    }
    let orders = orders(args)?;
    let trust = args.trust.resolve()?;
    if orders.is_empty() {
        notes::warning("no skill image is named in the manifests");
    }
    let progress = Progress::start("asking for signatures");
    let judged = block_on(judge(args, orders, &trust));
    drop(progress);
    let judged = judged?;
    match args.output {
        Format::Table => sink::table(&table(&judged))?,
        Format::Json => sink::json(&value(&judged))?,
        Format::Yaml => sink::yaml(&value(&judged))?,
    }
    let verified = judged.iter().filter(|one| one.is_verified()).count();
    judged.iter().for_each(said);
    notes::summary(&format!("{verified} of {} verified", counted(judged.len(), "image")));
    // Where nothing was asked about, nothing was verified.
    Ok(if verified == judged.len() && verified > 0 { Outcome::Done } else { Outcome::Found })
}

/// An image that is to be verified.
struct Order {
    place: Place,
    named_by: Vec<String>,
}

/// An image and what is demanded of it.
struct Judged {
    order: Order,
    checked: Checked,
    any_predicate: bool,
    /// Types of attestations that are demanded.
    demanded: Vec<String>,
}

impl Judged {
    fn is_verified(&self) -> bool {
        self.is_signed() && self.missing().next().is_none()
    }

    /// Whether what the reference names is: a signature of one platform's manifest says nothing about the others.
    fn is_signed(&self) -> bool {
        self.signatures().any(|(_, _, one)| one.digest == self.checked.root.digest)
    }

    fn signatures(&self) -> impl Iterator<Item = (&Part, &Digest, &Verified)> {
        self.checked.verified().filter(|(_, _, one)| self.any_predicate || one.is_signature())
    }

    fn attestations(&self) -> impl Iterator<Item = (&Part, &Digest, &Verified)> {
        self.checked.verified().filter(|(_, _, one)| !one.is_signature())
    }

    /// Demanded types of which there is none, about what has to be signed.
    fn missing(&self) -> impl Iterator<Item = &String> {
        let root = &self.checked.root.digest;
        let is_there = |kind: &String| {
            let mut all = self.checked.verified();
            all.any(|(_, _, one)| one.digest == *root && one.predicate_type.as_ref() == Some(kind))
        };
        self.demanded.iter().filter(move |kind| !is_there(kind))
    }

    /// What a part is, where that is not clear.
    fn part(&self, part: &Part) -> String {
        match &part.of {
            Of::Platform(platform) => format!(" of the manifest of {platform}"),
            Of::Index if self.checked.parts.len() > 1 => " of the index".to_owned(),
            Of::Index | Of::Manifest => String::new(),
        }
    }

    fn could_ask_a_platform(&self) -> bool {
        matches!(self.checked.parts.as_slice(), [Part { of: Of::Index, .. }])
    }

    /// The image by its digest, as a tool would be given it.
    fn by_digest(&self, digest: &Digest) -> String {
        match &self.order.place {
            Place::Registry(reference) => format!("{}@{digest}", reference.name()),
            Place::Layout(..) => format!("HOST/REPOSITORY@{digest}"),
        }
    }
}

fn orders(args: &Args) -> Result<Vec<Order>, Failure> {
    if !args.input.given() {
        if args.what.is_empty() {
            return Err(Failure::Usage("give references or OCI layouts, or manifests with -f or -k".into()));
        }
        let read = |word: &String| Ok(Order { place: Place::existing(word)?, named_by: Vec::new() });
        return args.what.iter().map(read).collect();
    }
    if !args.what.is_empty() {
        return Err(Failure::Usage("give either references or manifests".into()));
    }
    let inputs = args.input.read()?;
    let kinds = args.kinds.resolve()?;
    let stream = Stream::read_all(&inputs.sources, DEFAULT_NAMESPACE, kinds)?;
    left_out(&stream, kinds);
    let mut orders: Vec<Order> = Vec::new();
    for one in skill_images(&stream, kinds)? {
        // Never a path of this machine: the kubelet would not look there.
        let reference = Reference::parse(&one.image).map_err(|why| {
            Failure::input(format!("{}: {}: {why}", one.object, one.field), "correct the reference")
        })?;
        let place = Place::Registry(reference);
        let by = one.object.to_string();
        match orders.iter_mut().find(|order| order.place == place) {
            Some(order) if order.named_by.contains(&by) => {}
            Some(order) => order.named_by.push(by),
            None => orders.push(Order { place, named_by: vec![by] }),
        }
    }
    Ok(orders)
}

async fn judge(args: &Args, orders: Vec<Order>, trust: &Trust) -> Result<Vec<Judged>, Failure> {
    let stores = Stores::new(&args.registry, "verify")?;
    let mut judged = Vec::new();
    let mut failures = Vec::new();
    for order in orders {
        let one = async {
            let source = stores.source(&order.place)?;
            Ok::<_, RegistryError>(check_image(&source, &order.place, args.platform.as_deref(), trust).await)
        };
        let checked = match unless_interrupted(one).await {
            Ok(checked) => checked,
            Err(error) => Err(error.into()),
        };
        match checked {
            Ok(checked) => judged.push(Judged {
                order,
                checked,
                any_predicate: args.any_predicate,
                demanded: args.attestation.clone(),
            }),
            // The others are asked nevertheless: all that is wrong is said at once.
            Err(Failure::Remote(errors)) => failures.extend(errors),
            Err(other) => return Err(other),
        }
    }
    if failures.is_empty() { Ok(judged) } else { Err(Failure::Remote(failures)) }
}

/// Says what is wrong with an image, and what is odd about one that is verified.
fn said(judged: &Judged) {
    let place = &judged.order.place;
    if !judged.is_verified() {
        let (message, help) = words::not_verified(judged);
        let by = match judged.order.named_by.as_slice() {
            [] => String::new(),
            names => format!(" (named by {})", names.join(", ")),
        };
        notes::error_with_help(&format!("{place}{by}: {message}"), &help);
        return;
    }
    for (part, manifest, refusal) in judged.checked.refused() {
        let of = judged.part(part);
        let text = format!(
            "{place}: another signature, {}{of}: {}",
            words::short(manifest),
            words::refusal(refusal)
        );
        if words::is_odd(refusal) { notes::warning(&text) } else { notes::object(&text) }
    }
}

fn table(judged: &[Judged]) -> Table {
    let mut table = Table::new(&["IMAGE", "VERIFIED", "DIGEST", "OF", "SIGNED BY", "LOG"]).with_states(1);
    for one in judged {
        let image = one.order.place.to_string();
        let (verdict, mood) = if one.is_verified() { ("yes", Mood::Good) } else { ("no", Mood::Bad) };
        let mut seen = BTreeSet::new();
        for (part, _, verified) in one.signatures() {
            let row = [
                image.clone(),
                verdict.to_owned(),
                verified.digest.to_string(),
                of(part),
                words::signer(&verified.signer),
                if verified.log { "checked" } else { "not checked" }.to_owned(),
            ];
            if seen.insert(row.clone()) {
                table.row(row);
                table.mood(mood);
            }
        }
        if seen.is_empty() {
            let none = || "-".to_owned();
            let part = one.checked.parts.first().map_or_else(none, of);
            table.row([image, verdict.to_owned(), one.checked.root.digest.to_string(), part, none(), none()]);
            table.mood(mood);
        }
    }
    table
}

fn of(part: &Part) -> String {
    match &part.of {
        Of::Manifest => "manifest".to_owned(),
        Of::Index => "index".to_owned(),
        Of::Platform(platform) => platform.clone(),
    }
}

fn value(judged: &[Judged]) -> Value {
    let images: Vec<Value> = judged.iter().map(image).collect();
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillVerification", "images": images})
}

fn image(judged: &Judged) -> Value {
    let holds = |(part, manifest, one): (&Part, &Digest, &Verified)| {
        let mut value = match &one.signer {
            Signer::Key { fingerprint } => json!({"by": "key", "key": fingerprint.as_str()}),
            Signer::Certificate { identity, issuer } => {
                json!({"by": "certificate", "identity": identity, "issuer": issuer})
            }
        };
        value["format"] = one.format.as_str().into();
        value["digest"] = one.digest.as_str().into();
        let (of, platform) = match &part.of {
            Of::Manifest => ("manifest", None),
            Of::Index => ("index", None),
            Of::Platform(platform) => ("manifest", Some(platform)),
        };
        value["of"] = of.into();
        if let Some(platform) = platform {
            value["platform"] = platform.as_str().into();
        }
        value["log"] = one.log.into();
        if let Some(kind) = &one.predicate_type {
            value["predicateType"] = kind.as_str().into();
        }
        value["manifest"] = manifest.as_str().into();
        value
    };
    let refused = |(part, manifest, why): (&Part, &Digest, &kubectl_skills::skill::signature::Refusal)| {
        json!({"digest": part.digest.as_str(), "manifest": manifest.as_str(), "reason": words::reason(why),
            "message": words::refusal(why)})
    };
    let mut value = json!({
        "image": judged.order.place.to_string(),
        "digest": judged.checked.root.digest.as_str(),
        "verified": judged.is_verified(),
        "signatures": judged.signatures().map(holds).collect::<Vec<_>>(),
        "attestations": judged.attestations().map(holds).collect::<Vec<_>>(),
        "refused": judged.checked.refused().map(refused).collect::<Vec<_>>(),
        "missing": judged.missing().collect::<Vec<_>>(),
    });
    if !judged.order.named_by.is_empty() {
        value["namedBy"] = judged.order.named_by.clone().into();
    }
    value
}
