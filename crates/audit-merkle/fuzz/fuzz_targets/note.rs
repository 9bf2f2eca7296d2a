//! Checkpoints, keys, signature lines: what is read prints as it was, and a key accepts nothing but
//! the checkpoints that it has signed.

#![no_main]

use std::sync::LazyLock;

use audit_merkle::{
    Checkpoint, CheckpointSigner, CheckpointVerifier, ConsistencyProof, SignedCheckpoint, TreeHead,
    WitnessRequest, WitnessVerifier, consistency_proof,
};
use audit_merkle_fuzz::{Genuine, KEY, changed_text, equal, same, size};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((what, input)) = input.split_first() else { return };
    match what % 6 {
        0 => NOTES.check(&String::from_utf8_lossy(input)),
        1 => NOTES.check(&changed_text(&NOTES.texts, input)),
        2 => NOTES.check_key(&changed_text(&NOTES.keys, input)),
        3 => NOTES.check_lines(&String::from_utf8_lossy(input)),
        4 => NOTES.check_lines(&changed_text(&NOTES.lines, input)),
        _ => check_stated(&String::from_utf8_lossy(input)),
    }
});

/// Two checkpoints, signed by the key of the log and that of a witness.
struct Notes {
    log: Genuine,
    signed: [SignedCheckpoint; 2],
    witness: WitnessVerifier,
    /// The signed checkpoints, without and with the lines of the witness.
    texts: Vec<String>,
    /// The lines alone.
    lines: Vec<String>,
    /// Of the log, secret and public, and of the witness.
    keys: Vec<String>,
}

static NOTES: LazyLock<Notes> = LazyLock::new(Notes::new);

const WITNESS: &str = "witness.example";
/// When the witness has cosigned.
const TIME: u64 = 1_679_315_147;

impl Notes {
    fn new() -> Self {
        let log = Genuine::new();
        let signed = [log.signed(5), log.signed(7)];
        let key = SigningKey::from_bytes(&[1; 32]);
        let (id, public) = public(WITNESS, COSIGNATURE, &key);
        let line = |signed: &SignedCheckpoint| {
            let message = format!("cosignature/v1\ntime {TIME}\n{}", signed.unverified());
            let signature = key.sign(message.as_bytes()).to_bytes();
            let bytes = [&id.to_be_bytes()[..], &TIME.to_be_bytes(), &signature].concat();
            format!("— {WITNESS} {}\n", STANDARD.encode(bytes))
        };
        let lines: Vec<_> = signed.iter().map(line).collect();
        let alone = signed.iter().map(ToString::to_string);
        let cosigned = signed.iter().zip(&lines).map(|(signed, line)| format!("{signed}{line}"));
        let keys = vec![KEY.to_owned(), log.signer.verifier().to_string(), public.clone()];
        let texts = alone.chain(cosigned).collect();
        Self { witness: public.parse().unwrap(), log, signed, texts, lines, keys }
    }

    fn has_stated(&self, checkpoint: &Checkpoint) -> bool {
        self.signed.iter().any(|signed| signed.unverified() == checkpoint)
    }

    /// Reads `text` in every way.
    fn check(&self, text: &str) {
        equal::<Checkpoint>(text);
        self.check_key(text);
        if let Some(signed) = equal(text) {
            self.check_signed(&signed);
        }
    }

    fn check_signed(&self, signed: &SignedCheckpoint) {
        let verifier = self.log.signer.verifier();
        let verified = verifier.verify(signed);
        if let Ok(checkpoint) = &verified {
            assert_eq!(checkpoint, signed.unverified());
            assert!(self.has_stated(checkpoint));
        }
        let cosigned = self.witness.verify(signed);
        if let Ok(Some(cosignature)) = &cosigned {
            assert_eq!(cosignature.time, TIME);
            assert!(self.has_stated(signed.unverified()));
        }
        let both = verifier.clone().with_witnesses([self.witness.clone()], 1).verify(signed);
        assert_eq!(both.is_ok(), verified.is_ok() && matches!(cosigned, Ok(Some(_))));
        // What was not signed before is followed by nothing.
        let last = &self.log.heads[5];
        let proof = consistency_proof(&self.log.nodes, last.size, size(7)).unwrap();
        let next = self.log.signer.sign_next(&self.log.checkpoint(7), signed, &proof);
        assert_eq!(next.is_ok(), verified.is_ok_and(|checkpoint| checkpoint.head() == last));
    }

    /// Reads `text` as each kind of key.
    fn check_key(&self, text: &str) {
        let [one, _] = &self.signed;
        if let Some(key) = same::<CheckpointVerifier>(text) {
            let is_genuine = text.eq_ignore_ascii_case(&self.keys[1]);
            assert_eq!(key.verify(one).is_ok(), is_genuine);
        }
        if let Ok(key) = text.parse::<CheckpointSigner>() {
            assert_eq!(key.secret_text(), text);
            assert!(same::<CheckpointVerifier>(&key.verifier().to_string()).is_some());
            let origin = key.verifier().origin();
            let checkpoint = Checkpoint::new(origin, *one.unverified().head()).unwrap();
            let signed = key.sign_first(&checkpoint).unwrap();
            assert_eq!(key.verifier().verify(&signed).unwrap(), checkpoint);
        }
        if let Ok(key) = text.parse::<WitnessVerifier>() {
            let cosigned: SignedCheckpoint = self.texts[2].parse().unwrap();
            let verified = key.verify(&cosigned);
            assert_eq!(matches!(verified, Ok(Some(_))), text == self.keys[2]);
        }
    }

    /// Appends `lines` to the signature of the log.
    fn check_lines(&self, lines: &str) {
        let [one, _] = &self.signed;
        let mut signed = one.clone();
        if signed.add_signatures(lines).is_err() {
            assert_eq!(&signed, one);
            return;
        }
        assert!(signed.to_string().starts_with(&one.to_string()));
        assert_eq!(equal(&signed.to_string()).as_ref(), Some(&signed));
        let mut twice = signed.clone();
        twice.add_signatures(lines).unwrap();
        assert_eq!(twice, signed);
        self.check_signed(&signed);
    }
}

/// The types of keys.
const SIGNATURE: u8 = 1;
const COSIGNATURE: u8 = 4;

/// The id and the text of a verifier key, `name+hash+base64`.
fn public(name: &str, kind: u8, key: &SigningKey) -> (u32, String) {
    let public = [&[kind], key.verifying_key().as_bytes().as_slice()].concat();
    let id = signed_note::key_id(name, &public);
    (id, format!("{name}+{id:08x}+{}", STANDARD.encode(public)))
}

/// States a head under an origin with a key, all of `text`, and asks a witness.
fn check_stated(text: &str) {
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (name, origin, rest) = (part(), part(), part());
    let mut numbers = rest
        .as_bytes()
        .chunks(8)
        .map(|bytes| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    let mut number = || numbers.next().unwrap_or_default();
    let (seed, from, to) = ([number().to_be_bytes()[7]; 32], size(number()), size(number()));
    let head = TreeHead { size: to, root: NOTES.log.heads[3].root };

    let key = SigningKey::from_bytes(&seed);
    let (id, verifier) = public(name, SIGNATURE, &key);
    let (_, witness) = public(name, COSIGNATURE, &key);
    let secret = STANDARD.encode([&[SIGNATURE], &seed[..]].concat());
    let secret = format!("PRIVATE+KEY+{name}+{id:08x}+{secret}");
    let (signer, witness) =
        (secret.parse::<CheckpointSigner>(), witness.parse::<WitnessVerifier>());
    assert_eq!(signer.is_ok(), witness.is_ok());
    let (Ok(signer), Ok(checkpoint)) = (signer, Checkpoint::new(origin, head)) else { return };
    assert_eq!(signer.verifier().to_string(), verifier);
    assert_eq!(equal::<Checkpoint>(&checkpoint.to_string()).as_ref(), Some(&checkpoint));

    let signed = signer.sign_first(&checkpoint).unwrap();
    assert_eq!(equal::<SignedCheckpoint>(&signed.to_string()).as_ref(), Some(&signed));
    let verifier = signer.verifier().clone();
    assert_eq!(verifier.verify(&signed).is_ok(), name == origin);
    assert_eq!(verifier.with_origin(origin).verify(&signed).unwrap(), checkpoint);
    assert!(NOTES.log.signer.verifier().clone().with_origin(origin).verify(&signed).is_err());

    let path = NOTES.log.leaves.iter().map(|leaf| (*leaf).into()).collect();
    let proof = ConsistencyProof::new(from, to, path);
    let request = WitnessRequest { proof, checkpoint: signed.clone() }.to_string();
    let (lines, asked) = request.split_once("\n\n").unwrap();
    assert_eq!(lines.lines().next(), Some(format!("old {from}").as_str()));
    assert_eq!(lines.lines().count(), 1 + NOTES.log.leaves.len());
    assert_eq!(equal(asked), Some(signed));
}
