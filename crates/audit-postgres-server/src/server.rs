//! A server.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::{env, io};

use crate::account::Account;
use crate::database::{Address, Database};
use crate::guard::Guard;
use crate::url::ServerUrl;
use crate::{Backup, ServerError, ServerOptions, binaries};

/// The environment variable with the URL of the server that tests use instead of their own.
const URL: &str = "AUDIT_POSTGRES_URL";

/// The port of a server that listens on none, but whose socket has it in its name: what clients expect.
const PORT: u16 = 5432;

/// The longest path of a unix socket, less the name of the socket.
const LONGEST_DIRECTORY: usize = 85;

/// A PostgreSQL server. When it is dropped, and when its process ends or is killed, it is stopped and
/// its files are removed.
///
/// The URLs and databases of a server stay valid when it is [killed](Self::kill) and started again.
#[derive(Debug)]
pub struct Server {
    address: Arc<Address>,
    /// `None` for a server that was not started here.
    own: Option<Own>,
}

/// The resources of a server that was started here.
#[derive(Debug)]
struct Own {
    guard: Mutex<Guard>,
    directory: PathBuf,
    port: u16,
    options: ServerOptions,
}

impl Own {
    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Returns the server of this test process: that of `AUDIT_POSTGRES_URL`, or one with default
    /// options, which is started by the first call and stopped when the process ends.
    ///
    /// # Errors
    /// As [`ServerOptions::start`]. The next call tries again.
    pub fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceLock<Server> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = SHARED.get() {
            return Ok(server);
        }
        let server = match env::var(URL) {
            Ok(url) if !url.is_empty() => Self::at(&url)?,
            _ => Self::start()?,
        };
        Ok(SHARED.get_or_init(|| server))
    }

    /// Starts a server with default options.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub fn start() -> Result<Self, ServerError> {
        ServerOptions::new().start()
    }

    /// Uses the server at a URL, and its user, who must be allowed to create databases. A database that
    /// the URL names is only connected to. `psql` gets the password in its environment, where no other user
    /// of the machine can see it, and the rest of the URL as an argument.
    ///
    /// # Errors
    /// [`Url`](ServerError::Url) for another text than a URL.
    pub fn at(url: &str) -> Result<Self, ServerError> {
        let url = ServerUrl::parse(url)?;
        // The clients alone may be installed here.
        let psql = binaries::find(None).map_or_else(|_| "psql".into(), |found| found.join("psql"));
        Ok(Self { address: Arc::new(Address { url, tcp: None, psql }), own: None })
    }

    pub(crate) fn start_with(options: &ServerOptions) -> Result<Self, ServerError> {
        let programs = binaries::find(options.binaries.as_deref())?;
        let password = random_text()?;
        Self::prepare(&programs, options, &password, |directory, guard| {
            write_new(&directory.join("password"), &password)?;
            guard.run("creating the files of a server", "init")
        })
    }

    /// Starts a server in a new directory, whose files `create` creates.
    fn prepare(
        programs: &Path,
        options: &ServerOptions,
        password: &str,
        create: impl FnOnce(&Path, &mut Guard) -> Result<(), ServerError>,
    ) -> Result<Self, ServerError> {
        let temporary = tempfile::Builder::new().prefix("pg-").tempdir_in(short_directory());
        let temporary = temporary.map_err(ServerError::io("creating a directory"))?;
        let account = Account::for_owner_of(temporary.path())?;
        if let Some(account) = account {
            account.own(temporary.path())?;
        }
        let mut guard = Guard::start(temporary.path(), programs, account)?;
        let directory = temporary.keep();
        create(&directory, &mut guard)?;
        // The number is part of the name of the socket, too.
        let port = if options.tcp { free_port()? } else { PORT };
        configure(&directory, options, port)?;
        guard.run("starting a server", &format!("start {port}"))?;
        let address = Address {
            url: ServerUrl::of_socket(&directory, port),
            tcp: options.tcp.then(|| ServerUrl::of_port(port, password)),
            psql: programs.join("psql"),
        };
        let own = Own { guard: Mutex::new(guard), directory, port, options: options.clone() };
        Ok(Self { address: Arc::new(address), own: Some(own) })
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// [`Failed`](ServerError::Failed) with what the server says.
    pub fn database(&self) -> Result<Database, ServerError> {
        Database::create(&self.address, "template0")
    }

    /// Returns the URL of the database `postgres`, or of the one that the URL of
    /// [`Server::at`] names.
    pub fn url(&self) -> String {
        self.address.url.own()
    }

    /// Runs SQL in the database of [`Server::url`], and returns its rows as
    /// [`Database::sql`] does. `ALTER SYSTEM SET …` changes a setting, which counts after
    /// [`Server::reload`] or [`Server::restart`].
    ///
    /// # Errors
    /// [`Failed`](ServerError::Failed) with what the server says.
    pub fn sql(&self, sql: &str) -> Result<String, ServerError> {
        self.address.sql(&self.url(), sql)
    }

    /// Reads the settings again that can change while the server runs.
    ///
    /// # Errors
    /// [`NotOwned`](ServerError::NotOwned) if it was not started here.
    pub fn reload(&self) -> Result<(), ServerError> {
        self.command("reading the settings again", "reload")
    }

    /// Kills the server as by `kill -9`. All its connections end at once, and nothing is written any
    /// more. [`Server::resume`] starts it again.
    ///
    /// # Errors
    /// [`NotOwned`](ServerError::NotOwned) if it was not started here; [`Failed`](ServerError::Failed)
    /// if it does not run.
    pub fn kill(&self) -> Result<(), ServerError> {
        self.command("killing a server", "kill")
    }

    /// Stops the server in order: it ends its connections and writes everything back.
    ///
    /// # Errors
    /// As [`Server::kill`].
    pub fn stop(&self) -> Result<(), ServerError> {
        self.command("stopping a server", "stop")
    }

    /// Starts the server after it was killed or stopped, and waits until it answers.
    ///
    /// # Errors
    /// As [`ServerOptions::start`].
    pub fn resume(&self) -> Result<(), ServerError> {
        let port = self.own()?.port;
        self.command("starting a server", &format!("start {port}"))
    }

    /// Stops the server in order and starts it again.
    ///
    /// # Errors
    /// As [`Server::stop`] and [`Server::resume`].
    pub fn restart(&self) -> Result<(), ServerError> {
        self.stop().and_then(|()| self.resume())
    }

    /// Starts a standby: a server on a copy of this one's files, which follows it and can be read. Its
    /// name, for `synchronous_standby_names`, is that of [`Server::name`]. It has the same options and
    /// databases.
    ///
    /// # Errors
    /// As [`ServerOptions::start`]; [`NotOwned`](ServerError::NotOwned) if this server was not started
    /// here.
    pub fn standby(&self) -> Result<Self, ServerError> {
        let command = format!("follow {}", self.connection()?);
        self.copy(&self.own()?.options, &command)
    }

    /// Copies the files of the server while it runs. A later state of it can be
    /// [restored](Backup::restore) from the copy and the archive.
    ///
    /// # Errors
    /// [`NotOwned`](ServerError::NotOwned) if it was not started here; [`Failed`](ServerError::Failed)
    /// if it does not run.
    pub fn backup(&self) -> Result<Backup<'_>, ServerError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("backup-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let command = format!("backup {name} {}", self.connection()?);
        self.command("copying the files of a server", &command)?;
        Ok(Backup { server: self, name })
    }

    /// Starts a server on a backup of this one, which replays the archive up to a point.
    pub(crate) fn recover(
        &self,
        backup: &str,
        setting: &str,
        target: &str,
    ) -> Result<Self, ServerError> {
        let own = self.own()?;
        let options = own.options.clone();
        let options = options
            .setting("restore_command", format!("cp \"{}/%f\" \"%p\"", archive(&own.directory)))
            .setting("recovery_target_action", "promote")
            .setting(setting, target);
        let command = format!("recover {}", own.directory.join(backup).to_string_lossy());
        self.copy(&options, &command)
    }

    /// Starts a server on files that a command copies from this one.
    fn copy(&self, options: &ServerOptions, command: &str) -> Result<Self, ServerError> {
        let password = fs::read_to_string(self.own()?.directory.join("password"));
        let password = password.map_err(ServerError::io("reading the password of a server"))?;
        Self::prepare(self.programs(), options, &password, |directory, guard| {
            write_new(&directory.join("password"), &password)?;
            guard.run("copying the files of a server", command)
        })
    }

    /// Returns how the programs of PostgreSQL connect to the server, without the user.
    fn connection(&self) -> Result<String, ServerError> {
        let own = self.own()?;
        let host = own.directory.to_string_lossy().replace('\\', r"\\").replace('\'', r"\'");
        Ok(format!("host='{host}' port={}", own.port))
    }

    /// Makes a standby a server that can be written, and waits until it can.
    ///
    /// # Errors
    /// As [`Server::kill`].
    pub fn promote(&self) -> Result<(), ServerError> {
        self.command("promoting a standby", "promote")
    }

    /// Returns the URL in this server of a database of another, for a standby and its primary.
    pub fn url_of(&self, database: &Database) -> String {
        self.address.url.database(database.name())
    }

    /// Returns the name under which it follows another server. In `synchronous_standby_names` it is
    /// written in double quotes.
    ///
    /// # Errors
    /// [`NotOwned`](ServerError::NotOwned) if it was not started here.
    pub fn name(&self) -> Result<String, ServerError> {
        let name = self.own()?.directory.file_name().unwrap_or_default();
        Ok(name.to_string_lossy().into_owned())
    }

    /// Returns the directory with the programs of PostgreSQL that are used; empty if they are those of
    /// `PATH`.
    pub fn programs(&self) -> &Path {
        self.address.psql.parent().unwrap_or(Path::new(""))
    }

    fn own(&self) -> Result<&Own, ServerError> {
        self.own.as_ref().ok_or(ServerError::NotOwned)
    }

    fn command(&self, action: &'static str, command: &str) -> Result<(), ServerError> {
        self.own()?.guard().run(action, command)
    }
}

/// Returns a directory for temporary files in which a socket can be: its path is short.
fn short_directory() -> PathBuf {
    let directory = env::temp_dir();
    let is_short = directory.as_os_str().len() < LONGEST_DIRECTORY;
    if is_short { directory } else { "/tmp".into() }
}

/// Adds the settings of a server to those of its files.
fn configure(directory: &Path, options: &ServerOptions, port: u16) -> Result<(), ServerError> {
    let path = directory.to_string_lossy();
    let port = port.to_string();
    let mut settings = vec![
        ("unix_socket_directories", path.as_ref()),
        ("listen_addresses", if options.tcp { "127.0.0.1" } else { "" }),
        ("port", &port),
        ("max_connections", "200"),
        ("max_wal_senders", "10"),
        // A standby whose primary was away asks again soon.
        ("wal_retrieve_retry_interval", "100ms"),
    ];
    let command = format!("mkdir -p \"{0}\" && cp \"%p\" \"{0}/%f\"", archive(directory));
    if options.archives {
        settings.extend([("archive_mode", "on"), ("archive_command", &command[..])]);
    }
    settings.extend(options.settings.iter().map(|(name, value)| (&name[..], &value[..])));
    let mut lines = String::new();
    for (name, value) in settings {
        lines.extend([name, " = '", &value.replace('\'', "''"), "'\n"]);
    }
    // The file belongs to the user who runs the server, and stays so.
    let file = OpenOptions::new().append(true).open(directory.join("data/postgresql.conf"));
    file.and_then(|mut file| file.write_all(lines.as_bytes()))
        .map_err(ServerError::io("writing the settings of a server"))
}

/// Returns the directory of the archive in that of a server, for a command in its settings.
fn archive(directory: &Path) -> String {
    directory.join("archive").to_string_lossy().replace('%', "%%")
}

/// Returns a port that was free a moment ago.
fn free_port() -> Result<u16, ServerError> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(ServerError::io("looking for a free port"))
}

/// Writes a file in the server's directory, which only its user can enter.
fn write_new(path: &Path, text: &str) -> Result<(), ServerError> {
    let write = || -> io::Result<()> {
        let mut file = File::create_new(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())
    };
    write().map_err(ServerError::io("writing the password of a server"))
}

/// Returns 128 random bits as text.
fn random_text() -> Result<String, ServerError> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(ServerError::io("reading random bytes"))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
