//! The names of fields whose values do not belong in a log.

/// Names that are part of the name of a secret, in lower case and without separators.
///
/// A name that contains one of them is taken for the name of a secret, however it is spelled:
/// `user_password`, `userPassword`, `X-USER-PASSWORD` and `userpassword` are one name.
const PARTS: &[&str] = &[
    "accesskey",
    "apikey",
    "authorization",
    "bearer",
    "connectionstring",
    "cookie",
    "credential",
    "encryptionkey",
    "hmackey",
    "jwt",
    "masterkey",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwort",
    "privatekey",
    "pwd",
    "recoverycode",
    "secret",
    "sessionkey",
    "signingkey",
    "sshkey",
    "token",
    "totp",
];

/// Names of secrets that are too short to be looked for within others: whole words.
const WORDS: &[&str] =
    &["auth", "csrf", "cvc", "cvv", "otp", "pass", "pin", "psk", "salt", "seed", "sid", "xsrf"];

/// Words that contain one of [`PARTS`] and are not secrets.
const HARMLESS: &[&str] = &["secretaries", "secretariat", "secretary", "tokenize", "tokenizer"];

/// Returns `true` if a field of this name usually holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let words = words(name);
    let is_harmless = |word: &&String| HARMLESS.contains(&word.as_str());
    let joined: String = words.iter().filter(|word| !is_harmless(word)).cloned().collect();
    PARTS.iter().any(|part| joined.contains(part))
        || words.iter().any(|word| WORDS.contains(&word.as_str()))
}

/// Returns the name in lower case and without separators: two spellings of a name are equal then.
pub(super) fn normalized(name: &str) -> String {
    words(name).concat()
}

/// Splits a name into words in lower case: at every character that is neither a letter nor a digit,
/// and at the humps of camel case.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = name.chars().peekable();
    let mut previous: Option<char> = None;
    while let Some(character) = characters.next() {
        if !character.is_alphanumeric() {
            words.push(std::mem::take(&mut word));
            previous = None;
            continue;
        }
        // `apiKey` and `APIKey` both have two words.
        let is_hump = previous.is_some_and(|previous| {
            character.is_uppercase()
                && (!previous.is_uppercase()
                    || characters.peek().is_some_and(|next| next.is_lowercase()))
        });
        if is_hump {
            words.push(std::mem::take(&mut word));
        }
        word.extend(character.to_lowercase());
        previous = Some(character);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Names of secrets as they are found in services.
#[cfg(test)]
pub(super) const SPELLINGS: &[&str] = &[
    "password",
    "Password",
    "PASSWORD",
    "user_password",
    "userPassword",
    "UserPassword",
    "user-password",
    "userpassword",
    "password_hash",
    "hashedPassword",
    "old.password",
    "new password",
    "passwd",
    "pwd",
    "DB_PWD",
    "db_pass",
    "passphrase",
    "Passwort",
    "secret",
    "client_secret",
    "clientSecret",
    "CLIENT-SECRET",
    "secretKey",
    "secrets",
    "token",
    "access_token",
    "accessToken",
    "refreshToken",
    "ID_TOKEN",
    "tokens",
    "csrf",
    "csrfToken",
    "X-XSRF",
    "authorization",
    "Authorization",
    "Proxy-Authorization",
    "auth",
    "basic_auth",
    "cookie",
    "Set-Cookie",
    "cookies",
    "session_key",
    "sid",
    "api_key",
    "apiKey",
    "APIKey",
    "apikey",
    "x-api-key",
    "API KEY",
    "private_key",
    "privateKey",
    "PRIVATE-KEY",
    "ssh_key",
    "signingKey",
    "encryption_key",
    "accessKey",
    "AWS_ACCESS_KEY_ID",
    "credentials",
    "jwt",
    "bearer",
    "otp",
    "totpSeed",
    "pin",
    "cvv",
    "recovery_codes",
    "connectionString",
    "salt",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in SPELLINGS {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_them_are_not() {
        for name in [
            "name",
            "email",
            "key",
            "keyboard",
            "shipping",
            "pinned",
            "opinion",
            "compass",
            "passenger",
            "secretary",
            "secretaryName",
            "tokenizer",
            "author",
            "authored_by",
            "assault",
            "seedling",
            "inside",
            "residence",
            "monkey",
            "id",
            "",
            "--",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn spellings_of_one_name_are_equal() {
        for name in
            ["dateOfBirth", "date_of_birth", "DATE-OF-BIRTH", "DateOfBirth", "date of birth"]
        {
            assert_eq!(normalized(name), "dateofbirth", "{name}");
        }
    }
}
