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
//! | a service | any store, through [`ProvableExt`] | proves what is in a log; [verifies](ProvableExt::verify) all of it |
//! | the owner of the logs | a [`Notary`]: a [`CheckpointSigner`] and the last [`SignedCheckpoint`] of each | signs that which follows, and nothing that denies it |
//! | whoever is given an event | a [`CheckpointVerifier`] | verifies [`Evidence`] without asking anyone |
//! | an auditor | kept checkpoints, and a [`ConsistencyProof`] from each to the next | reads all of the log in an [`Audit`] |
//! | a [`Witness`] | the last checkpoint that it has seen | cosigns, so that all see the same log |
//!
//! This crate has no runtime, and does no I/O but that of a [`CheckpointDirectory`], which has a thread for it; only
//! a new key needs randomness. It never panics, whatever it is given. What is wrong with an input is
//! [`Invalid`](audit_core::ErrorKind::Invalid) and names the part; what is wrong with a log is
//! [`Corrupt`](audit_core::ErrorKind::Corrupt), or in the [`Report`] of who looks for it.
//!
//! # Example
//!
//! Append, state, prove, verify offline, and look the whole log over:
//!
//! ```
//! use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
//! use audit_memory::MemoryStore;
//! use audit_merkle::{
//!     CheckpointDirectory, CheckpointSigner, CheckpointVerifier, Evidence, Notary, ProvableExt,
//! };
//!
//! # let directory = tempfile::tempdir()?;
//! # futures_executor::block_on(async {
//! let (store, log) = (MemoryStore::new()?, Log::Platform);
//! let paid = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"));
//! let receipt = store.record(log, paid).await?;
//!
//! // The owner states it. The key's text is kept secret; the directory is kept, and published.
//! let signer = CheckpointSigner::generate("audit.example.com")?;
//! let notary = Notary::new(signer, CheckpointDirectory::open(directory.path())?)?;
//! let signed = notary.checkpoint(&store, log).await?;
//!
//! // The event is given away, with all that proves it, in one text.
//! let text = store.evidence(log, receipt.id, signed.clone()).await?.to_string();
//!
//! // Whoever has the text, and knows the key and the name of the log, needs nothing else.
//! let key = notary.verifier(log).to_string();
//! let verifier = key.parse::<CheckpointVerifier>()?.with_origin("audit.example.com/platform");
//! let proved = text.parse::<Evidence>()?.verify(&verifier)?;
//! assert_eq!(proved.event.actor.email.as_deref(), Some("ana@acme.example"));
//! println!("{proved}");
//!
//! // Without the personal part it proves the record still.
//! let redacted = text.parse::<Evidence>()?.without_personal();
//! assert!(redacted.verify(&verifier)?.event.erased);
//!
//! // Whoever has kept the checkpoint finds whatever is done to the log.
//! let kept = verifier.verify(&signed)?;
//! let report = store.verify(log, &[*kept.head()], None, &mut |_| ()).await?;
//! assert!(report.is_intact() && report.proved == kept.size());
//! println!("{report}");
//! # Ok::<(), audit_core::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a store does
//!
//! It keeps [what core grows](audit_core::tree): the [`Frontier`] in the row of the log's head, and
//! the nodes that each append completes. A proof is then some 20 reads among 10^6 events, 40 among
//! 10^12, in one question. When retention removes events, [`NodeId::is_retained`] tells which nodes stay.

mod audit;
mod checkpoint;
mod checkpoint_directory;
mod checkpoint_memory;
mod checkpoint_store;
mod evidence;
mod key;
mod nodes;
mod notary;
mod proof;
mod provable;
mod report;
mod told;
mod verify;
mod witness;

pub use audit::Audit;
pub use audit_core::tree::{Frontier, Node, NodeHash, NodeId};
pub use audit_core::{LeafHash, RootHash, TreeHead};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use checkpoint_directory::CheckpointDirectory;
pub use checkpoint_memory::MemoryCheckpointStore;
pub use checkpoint_store::CheckpointStore;
pub use evidence::{Evidence, PersonalProof, Proved};
pub use key::{CheckpointSigner, CheckpointVerifier};
pub use nodes::{
    Nodes, consistency_nodes, consistency_proof, frontier_at, inclusion_nodes, inclusion_proof,
    root, root_nodes,
};
pub use notary::Notary;
pub use proof::{ConsistencyProof, InclusionProof};
pub use provable::ProvableExt;
pub use report::{Fault, Report, Stated};
pub use verify::Progress;
pub use witness::{Cosignature, Witness, WitnessRequest, WitnessVerifier};
