//! Checkpoints that are signed or refused, their verification, and the cosignatures of witnesses.

use crate::common::{ORIGIN, Tree, one_bit_changes, signed, size};
use async_trait::async_trait;
use audit_core::{ErrorKind, Result};
use audit_merkle::{
    Checkpoint, CheckpointSigner, CheckpointVerifier, ConsistencyProof, NodeHash, RootHash,
    SignedCheckpoint, TreeHead, Witness, WitnessRequest, WitnessVerifier, consistency_proof,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

fn signer() -> CheckpointSigner {
    CheckpointSigner::generate(ORIGIN).unwrap()
}

fn checkpoint(head: TreeHead) -> Checkpoint {
    Checkpoint::new(ORIGIN, head).unwrap()
}

#[test]
fn a_checkpoint_that_contradicts_the_latest_is_not_signed() {
    let (signer, tree) = (signer(), Tree::numbered(9));
    let heads = &tree.heads;
    let proof = |from, to| consistency_proof(&tree.nodes, size(from), size(to)).unwrap();
    let refused = |next: TreeHead, last: usize, proof: &ConsistencyProof| {
        let last = signed(&signer, heads[last]);
        let error = signer.sign_next(&checkpoint(next), &last, proof).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        error.field().map(str::to_owned).unwrap()
    };
    // The same size with another root, a smaller size, a proof that fails.
    let forked = Tree::of((0..9).map(|n| format!("other {n}")));
    let same_size = TreeHead { root: forked.head().root, ..heads[5] };
    assert_eq!(refused(same_size, 5, &proof(5, 5)), "root");
    assert_eq!(refused(heads[4], 5, &proof(4, 5)), "size");
    assert_eq!(refused(heads[4], 5, &proof(4, 4)), "size");
    assert_eq!(refused(forked.head(), 5, &proof(5, 9)), "proof");
    let theirs = consistency_proof(&forked.nodes, size(5), size(9)).unwrap();
    assert_eq!(refused(forked.head(), 5, &theirs), "proof");
    assert_eq!(refused(heads[9], 5, &proof(4, 9)), "proof");
    let short = ConsistencyProof::new(size(5), size(9), Vec::new());
    assert_eq!(refused(heads[9], 5, &short), "proof");

    // What follows is signed, the same again, too, and from the empty log.
    for (from, to) in [(5, 9), (5, 5), (0, 9), (0, 0)] {
        let last = signed(&signer, heads[from]);
        let proof = proof(from as u64, to as u64);
        let next = signer.sign_next(&checkpoint(heads[to]), &last, &proof).unwrap();
        assert_eq!(signer.verifier().verify(&next).unwrap().head(), &heads[to]);
    }
}

#[test]
fn the_last_checkpoint_is_one_of_this_key_and_log() {
    let (signer, tree) = (signer(), Tree::numbered(9));
    let proof = consistency_proof(&tree.nodes, size(5), size(9)).unwrap();
    let next = checkpoint(tree.heads[9]);
    let foreign = signed(&self::signer(), tree.heads[5]);
    let error = signer.sign_next(&next, &foreign, &proof).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("latest.signature")));
    let other = Checkpoint::new("audit.example.com/other", tree.heads[5]).unwrap();
    let other = signer.sign_first(&other).unwrap();
    let error = signer.sign_next(&next, &other, &proof).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("latest.origin")));
}

#[test]
fn each_one_bit_change_of_a_signed_checkpoint_is_refused() {
    let signer = signer();
    let text = signed(&signer, Tree::numbered(9).head()).to_string();
    for changed in one_bit_changes(text.as_bytes()) {
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let Ok(parsed) = changed.parse::<SignedCheckpoint>() else { continue };
        assert!(signer.verifier().verify(&parsed).is_err(), "{changed}");
    }
}

#[test]
fn a_checkpoint_of_another_log_of_the_same_key_is_refused() {
    let signer = CheckpointSigner::generate("audit.example.com").unwrap();
    let signed = signed(&signer, Tree::numbered(1).head());
    let verifier = signer.verifier().clone();
    assert_eq!(verifier.verify(&signed).unwrap_err().field(), Some("origin"));
    assert!(verifier.with_origin(ORIGIN).verify(&signed).is_ok());
}

#[test]
fn a_key_comes_back_from_its_text() {
    let signer = signer();
    let again: CheckpointSigner = signer.secret_text().parse().unwrap();
    let public: CheckpointVerifier = signer.verifier().to_string().parse().unwrap();
    let head = Tree::numbered(2).head();
    assert_eq!(signed(&again, head).to_string(), signed(&signer, head).to_string());
    public.verify(&signed(&again, head)).unwrap();
    // Some have a plus in their base64.
    for _ in 0..100 {
        let signer = self::signer();
        signer.secret_text().parse::<CheckpointSigner>().unwrap();
    }
    for name in ["", "a b", "a+b", "a\u{1}b", "a\nb", &"a".repeat(2_000)] {
        let error = CheckpointSigner::generate(name).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("name")), "{name}");
    }
}

#[test]
fn lines_of_unknown_keys_stay() {
    let (signer, other) = (signer(), CheckpointSigner::generate("other.example").unwrap());
    let head = Tree::numbered(3).head();
    let mut both = signed(&signer, head);
    let line = |text: String| text.lines().last().unwrap().to_owned() + "\n";
    let foreign = line(signed(&other, head).to_string());
    // As long as a signature with ML-DSA-44.
    let large = format!("— pq.example {}\n", STANDARD.encode([7; 4 + 8 + 2_420]));
    both.add_signatures(&(foreign.clone() + &large)).unwrap();
    both.add_signatures(&foreign).unwrap(); // once is enough
    let text = both.to_string();
    assert!(text.ends_with(&(foreign.clone() + &large)) && text.matches(&foreign).count() == 1);
    let parsed: SignedCheckpoint = text.parse().unwrap();
    assert_eq!(parsed.to_string(), text);
    assert_eq!(signer.verifier().verify(&parsed).unwrap().head(), &head);

    for bad in ["no line\n", "— a\u{1}b AAAAAAAA\n", "— a AAAA\n"] {
        assert!(both.add_signatures(bad).is_err(), "{bad}");
    }
    let many: Vec<_> = (0..99).map(|n| format!("— w{n} AAAAAAAA")).collect();
    assert_eq!(both.add_signatures(&many.join("\n")).unwrap_err().field(), Some("signatures"));
    assert_eq!(both.to_string(), text);
}

/// A witness that has seen nothing yet and asks for nothing: only its signature is tested.
#[derive(Debug)]
struct Cosigner {
    name: &'static str,
    key: SigningKey,
    time: u64,
}

impl Cosigner {
    fn new(name: &'static str, seed: u8) -> Self {
        Self { name, key: SigningKey::from_bytes(&[seed; 32]), time: 1_679_315_147 }
    }

    fn public(&self) -> Vec<u8> {
        [&[4], self.key.verifying_key().as_bytes().as_slice()].concat()
    }

    fn id(&self) -> u32 {
        signed_note::key_id(self.name, &self.public())
    }

    fn verifier(&self) -> WitnessVerifier {
        let text = format!("{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(self.public()));
        text.parse().unwrap()
    }

    fn line(&self, checkpoint: &Checkpoint) -> String {
        let message = format!("cosignature/v1\ntime {}\n{checkpoint}", self.time);
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        let id = self.id().to_be_bytes();
        let bytes = [&id, &self.time.to_be_bytes()[..], &signature].concat();
        format!("— {} {}\n", self.name, STANDARD.encode(bytes))
    }
}

#[async_trait]
impl Witness for Cosigner {
    async fn cosign(&self, request: &WitnessRequest) -> Result<String> {
        Ok(self.line(request.checkpoint.unverified()))
    }
}

#[test]
fn witnesses_are_counted_once_for_each_key() {
    let (signer, tree) = (signer(), Tree::numbered(3));
    let [one, two] = [Cosigner::new("one.example", 1), Cosigner::new("two.example", 2)];
    let alias = Cosigner::new("alias.example", 1);
    let asks = |least| {
        let all = [one.verifier(), two.verifier(), alias.verifier()];
        signer.verifier().clone().with_witnesses(all, least)
    };
    let mut both = signed(&signer, tree.head());
    assert_eq!(asks(1).verify(&both).unwrap_err().field(), Some("witnesses"));

    let proof = consistency_proof(&tree.nodes, size(0), size(3)).unwrap();
    let request = WitnessRequest { proof, checkpoint: both.clone() };
    let lines = futures_executor::block_on(one.cosign(&request)).unwrap();
    both.add_signatures(&lines).unwrap();
    both.add_signatures(&alias.line(both.unverified())).unwrap();
    assert_eq!(one.verifier().verify(&both).unwrap().unwrap().time, one.time);
    assert_eq!(two.verifier().verify(&both).unwrap(), None);
    asks(1).verify(&both).unwrap();
    assert_eq!(asks(1).cosigned_by(&both).unwrap(), ["one.example"]);
    assert_eq!(asks(2).verify(&both).unwrap_err().field(), Some("witnesses"));
    both.add_signatures(&two.line(both.unverified())).unwrap();
    asks(2).verify(&both).unwrap();
}

#[test]
fn a_wrong_cosignature_is_refused() {
    let (signer, tree) = (signer(), Tree::numbered(3));
    let good = Cosigner::new("one.example", 1);
    let with = |line: &str| {
        let mut signed = signed(&signer, tree.head());
        signed.add_signatures(line).unwrap();
        good.verifier().verify(&signed)
    };
    let line = good.line(&checkpoint(tree.head()));
    with(&line).unwrap().unwrap();
    assert!(with(&good.line(&checkpoint(tree.heads[2]))).is_err());
    let future = Cosigner { time: 1 << 63, ..Cosigner::new("one.example", 1) };
    assert!(with(&future.line(&checkpoint(tree.head()))).is_err());

    let (name, signature) = line.trim_end().rsplit_once(' ').unwrap();
    let bytes = STANDARD.decode(signature).unwrap();
    for changed in one_bit_changes(&bytes).skip(32) {
        // The first 32 bits are the id of the key, without which the line is unknown.
        assert!(with(&format!("{name} {}\n", STANDARD.encode(changed))).is_err());
    }
    assert!(with(&format!("{name} {}\n", STANDARD.encode(&bytes[..20]))).is_err());
}

#[test]
fn a_witness_is_asked_as_tlog_witness_has_it() {
    let signer = signer();
    let hash = NodeHash::from_bytes([1; 32]);
    let head = TreeHead { size: size(9), root: RootHash::from_bytes([2; 32]) };
    let proof = ConsistencyProof::new(size(4), size(9), vec![hash, hash]);
    let request = WitnessRequest { proof, checkpoint: signed(&signer, head) };
    let expected = format!("old 4\n{hash}\n{hash}\n\n{}", request.checkpoint);
    assert_eq!(request.to_string(), expected);
}
