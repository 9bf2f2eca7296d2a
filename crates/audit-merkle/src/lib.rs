//! Leaf and node hashes, proofs, checkpoints and offline verification of an audit log.
//!
//! The events of a [`Log`](audit_core::Log) are the leaves of a Merkle tree as RFC 6962 and RFC 9162
//! have it. What is hashed is the record, in the very bytes that are stored; the record holds the
//! digest of the personal part, so that all of an event is bound, and erasing changes no hash.
//! All texts are those of C2SP: tlog-checkpoint, signed-note, tlog-proof, tlog-cosignature. Any tool
//! that reads them can check what is written here.
//!
//! | who | has | does |
//! |---|---|---|
//! | a store | a [`Frontier`] in the row of the log's head, and [`Nodes`] | appends; gives nodes |
//! | the owner of the log | a [`CheckpointSigner`] and the last [`SignedCheckpoint`] | signs that which follows, and nothing that denies it |
//! | whoever is given an event | a [`CheckpointVerifier`] | verifies [`Evidence`] without asking anyone |
//! | an auditor | kept checkpoints, and a [`ConsistencyProof`] from each to the next | reads all of the log in an [`Audit`] |
//! | a [`Witness`] | the last checkpoint that it has seen | cosigns, so that all see the same log |
//!
//! This crate has no runtime and does no I/O; only a new key needs randomness. It never panics,
//! whatever it is given. What is wrong with an input is [`Invalid`](audit_core::ErrorKind::Invalid)
//! and names the part; what is wrong with a log is [`Corrupt`](audit_core::ErrorKind::Corrupt).
//!
//! # Example
//!
//! Append, state, prove, and verify offline:
//!
//! ```
//! use std::collections::HashMap;
//!
//! use audit_core::{Actor, Log, NewEvent, PreparedEvent, Sequence, Timestamp};
//! use audit_merkle::{
//!     Checkpoint, CheckpointSigner, CheckpointVerifier, Evidence, Frontier, LeafHash,
//!     consistency_proof, inclusion_proof,
//! };
//!
//! // A store appends: it keeps the records, the nodes, and the edge.
//! let (mut frontier, mut nodes, mut events) = (Frontier::new(), HashMap::new(), Vec::new());
//! let mut append = |frontier: &mut Frontier, nodes: &mut HashMap<_, _>, number| {
//!     let event = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"));
//!     let sequence = Sequence::new(number)?;
//!     let event = PreparedEvent::new(event)?.seal(Log::Platform, sequence, Timestamp::now());
//!     let leaf = LeafHash::of(&event.record);
//!     nodes.insert((0, number - 1), leaf.into());
//!     for node in frontier.append(leaf)? {
//!         nodes.insert((node.level, node.index), node.hash);
//!     }
//!     events.push(event);
//!     audit_core::Result::Ok(())
//! };
//! (1..=5).try_for_each(|number| append(&mut frontier, &mut nodes, number))?;
//!
//! // The owner states it, and later more of it. The key's text is kept secret.
//! let signer = CheckpointSigner::generate("audit.example.com/platform")?;
//! let first = signer.sign_first(&Checkpoint::new("audit.example.com/platform", frontier.head())?)?;
//! let before = frontier.size();
//! (6..=9).try_for_each(|number| append(&mut frontier, &mut nodes, number))?;
//! let next = Checkpoint::new("audit.example.com/platform", frontier.head())?;
//! let grown = consistency_proof(&nodes, before, frontier.size())?;
//! let signed = signer.sign_next(&next, &first, &grown)?;
//!
//! // Event 3 is given away, with all that proves it, in one text.
//! let proof = inclusion_proof(&nodes, Sequence::new(3)?, frontier.size())?;
//! let text = Evidence::new(events[2].clone(), &proof, signed)?.to_string();
//!
//! // Whoever has the text and knows the key of the log needs nothing else.
//! let verifier: CheckpointVerifier = signer.verifier().to_string().parse()?;
//! let proved = text.parse::<Evidence>()?.verify(&verifier)?;
//! assert_eq!(proved.event.actor.email.as_deref(), Some("ana@acme.example"));
//! println!("{proved}");
//!
//! // Without the personal part it proves the record still.
//! let redacted = text.parse::<Evidence>()?.without_personal();
//! assert!(redacted.verify(&verifier)?.event.erased);
//! # Ok::<(), audit_core::Error>(())
//! ```
//!
//! # What a store does
//!
//! Under the lock that numbers the events it appends each leaf to the [`Frontier`], writes the nodes
//! that this completes, and writes the frontier back, in the transaction that writes the events: 32
//! bytes for each event, beside its record. A proof is then some 20 reads among 10^6 events, 40 among
//! 10^12. When retention removes events, [`is_needed`] tells which nodes stay.

mod audit;
mod checkpoint;
mod evidence;
mod key;
mod nodes;
mod proof;
mod provable;
mod report;
mod told;
mod verify;
mod witness;

pub use audit::Audit;
pub use audit_core::tree::is_needed;
pub use audit_core::{Frontier, LeafHash, Node, NodeHash, RootHash, TreeHead, TreeSize};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use evidence::{Evidence, PersonalProof, Proved};
pub use key::{CheckpointSigner, CheckpointVerifier};
pub use nodes::{
    Nodes, consistency_nodes, consistency_proof, frontier_at, inclusion_nodes, inclusion_proof,
    root, root_nodes,
};
pub use proof::{ConsistencyProof, InclusionProof};
pub use provable::ProvableExt;
pub use report::{Fault, Report, Stated};
pub use verify::Progress;
pub use witness::{Cosignature, Witness, WitnessRequest, WitnessVerifier};
