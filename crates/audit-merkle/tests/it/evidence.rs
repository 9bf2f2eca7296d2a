//! Evidence: what it proves, and that each change of it is refused.

use crate::common::{Events, ORIGIN, Tree, event, one_bit_changes, sequence, signed, size};
use audit_core::{
    ErrorKind, Log,
    backend::{PersonalData, StoredEvent},
};
use audit_merkle::{CheckpointSigner, Evidence, InclusionProof, PersonalProof, inclusion_proof};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn signer() -> CheckpointSigner {
    CheckpointSigner::generate(ORIGIN).unwrap()
}

#[test]
fn each_event_of_a_log_is_proved_offline() {
    let (signer, events) = (signer(), Events::new(20));
    for number in 1..=20 {
        let text = events.evidence(number, &signer).to_string();
        let evidence: Evidence = text.parse().unwrap();
        assert_eq!(evidence.to_string(), text);
        let proved = evidence.verify(signer.verifier()).unwrap();
        assert_eq!((proved.origin.as_str(), proved.head), (ORIGIN, events.tree.head()));
        assert_eq!(proved.event.sequence, sequence(number));
        assert_eq!(proved.event.actor.email.as_deref(), Some("ana@acme.example"));
        assert_eq!(proved.personal, PersonalProof::Intact);
        assert!(proved.to_string().contains("is unchanged since it was recorded"));
    }
}

#[test]
fn without_the_personal_data_the_record_is_proved() {
    let (signer, events) = (signer(), Events::new(20));
    let text = events.evidence(7, &signer).without_personal().to_string();
    let proved = text.parse::<Evidence>().unwrap().verify(signer.verifier()).unwrap();
    assert_eq!(proved.personal, PersonalProof::Absent);
    assert!(proved.event.erased);
    let extra = text.lines().nth(1).unwrap().strip_prefix("extra ").unwrap();
    let extra = String::from_utf8(STANDARD.decode(extra).unwrap()).unwrap();
    assert!(extra.contains("inv_7") && !extra.contains("ana@"), "{extra}");
}

#[test]
fn each_one_bit_change_of_the_text_is_refused() {
    let (signer, events) = (signer(), Events::new(6));
    let evidence = events.evidence(4, &signer);
    let text = evidence.to_string();
    let mut parsed = 0;
    for changed in one_bit_changes(text.as_bytes()) {
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let Ok(evidence) = changed.parse::<Evidence>() else { continue };
        parsed += 1;
        assert!(evidence.verify(signer.verifier()).is_err(), "{changed}");
    }
    assert!(parsed > 1_000, "{parsed}");
}

#[test]
fn each_one_bit_change_of_the_event_is_refused() {
    let (signer, events) = (signer(), Events::new(6));
    let evidence = events.evidence(4, &signer);
    let StoredEvent { record, personal, .. } = evidence.unverified().clone();
    let personal = personal.unwrap();
    let refused = |record: &[u8], salt, bytes: &[u8]| {
        let personal = PersonalData::new(salt, bytes.to_vec());
        let event = StoredEvent::new(record.to_vec(), Some(personal));
        let checkpoint = evidence.checkpoint().clone();
        let changed = Evidence::new(event, &evidence.proof(), checkpoint).unwrap();
        let error = changed.verify(signer.verifier()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.field().map(str::to_owned).unwrap()
    };
    for changed in one_bit_changes(&record) {
        assert_eq!(refused(&changed, personal.salt, &personal.bytes), "proof.path");
    }
    for changed in one_bit_changes(&personal.salt) {
        assert_eq!(refused(&record, changed.try_into().unwrap(), &personal.bytes), "personal");
    }
    for changed in one_bit_changes(&personal.bytes) {
        assert_eq!(refused(&record, personal.salt, &changed), "personal");
    }
}

#[test]
fn a_record_at_another_place_than_it_says_is_refused() {
    // The log itself would have to write such a record.
    let (signer, second) = (signer(), event(Log::Platform, 2));
    let tree = Tree::of([&second.record]);
    let proof = inclusion_proof(&tree.nodes, sequence(1), size(1)).unwrap();
    let evidence = Evidence::new(second, &proof, signed(&signer, tree.head())).unwrap();
    let error = evidence.verify(signer.verifier()).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("sequence")));
}

#[test]
fn a_foreign_key_log_or_size_is_refused() {
    let (signer, events) = (signer(), Events::new(6));
    let evidence = events.evidence(4, &signer);
    let error = evidence.verify(self::signer().verifier()).unwrap_err();
    assert_eq!(error.field(), Some("checkpoint.signature"));
    let error = evidence.verify(&signer.verifier().clone().with_origin("other")).unwrap_err();
    assert_eq!(error.field(), Some("checkpoint.origin"));

    let event = evidence.unverified().clone();
    let proof = inclusion_proof(&events.tree.nodes, sequence(4), size(5)).unwrap();
    let error = Evidence::new(event.clone(), &proof, evidence.checkpoint().clone()).unwrap_err();
    assert_eq!(error.field(), Some("proof"));
    let none = InclusionProof::new(sequence(0), size(6), Vec::new());
    assert!(Evidence::new(event, &none, evidence.checkpoint().clone()).is_err());
}

#[test]
fn a_text_has_one_form() {
    let (signer, events) = (signer(), Events::new(6));
    let text = events.evidence(4, &signer).to_string();
    let extra = text.lines().nth(1).unwrap();
    let event = STANDARD.decode(extra.strip_prefix("extra ").unwrap()).unwrap();
    let event = String::from_utf8(event).unwrap();
    let with_event = |event: &str| {
        text.replace(extra, &format!("extra {}", STANDARD.encode(event))).parse::<Evidence>()
    };
    assert!(with_event(&event).is_ok());
    for bad in [
        event.replace("record ", "record 0"),
        event.replace("record ", "record +"),
        event.replace("record ", "record 1"),
        event.replace("\npersonal ", "\npersonal  "),
        event.replace("audit/event@v1", "audit/event@v2"),
        event.clone() + "\n",
        event.trim_end().to_owned(),
        String::new(),
    ] {
        assert_eq!(with_event(&bad).unwrap_err().field(), Some("extra"), "{bad}");
    }
    for (from, to) in [
        ("index 3", "index 03"),
        ("index 3", "index +3"),
        ("index 3", "index 18446744073709551615"),
        ("index 3", "index 9223372036854775807"),
        ("index 3\n", ""),
        ("index 3\n", "index 3\n\n"),
        ("index 3", "index 3 "),
        ("@v1\n", "@v2\n"),
        ("\n", "\r\n"),
    ] {
        assert!(text.replacen(from, to, 1).parse::<Evidence>().is_err(), "{to}");
    }
    assert!(format!(" {text}").parse::<Evidence>().is_err());
    let hash = text.lines().nth(3).unwrap();
    let long = text.replacen(hash, &[hash; 64].join("\n"), 1);
    assert_eq!(long.parse::<Evidence>().unwrap_err().field(), Some("path"));
    let huge = text.replacen(extra, &format!("extra {}", "A".repeat(4 << 20)), 1);
    assert_eq!(huge.parse::<Evidence>().unwrap_err().field(), Some(""));
}
