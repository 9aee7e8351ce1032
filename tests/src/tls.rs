//! A server that listens on the loopback: TLS with an authority of its own, every way to authenticate,
//! and PgBouncer in front of it. Scratch servers do none of that, on purpose.
#![expect(clippy::unwrap_used, reason = "everything here is part of a test")]

use crate::export::wire;
use opskit_core::scratch::{ScratchEnv, ServerBinaries};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const HBA: &str = "local all all trust\nhostssl all certuser all cert\nhostnossl all plain_only all trust\nhostssl all tls_only all trust\n\
    host all md5_user all md5\nhost all scram_user all scram-sha-256\nhost all password_user all password\nhost all postgres all trust\n";

const ROLES: &str = "create role certuser login; create role plain_only login; create role tls_only login; \
    set password_encryption = 'md5'; create role md5_user login password 'pa ss'; \
    set password_encryption = 'scram-sha-256'; \
    create role scram_user login password 'pa ss'; create role password_user login password 'pa ss'";

/// The server; stopped and removed when dropped.
#[derive(Debug)]
pub struct TlsServer {
    /// Ended before the directory goes.
    children: Vec<Child>,
    dir: TempDir,
    port: u16,
    pooler_port: Option<u16>,
}

impl TlsServer {
    /// Makes certificates and a cluster, starts it and the pooler.
    ///
    /// # Panics
    ///
    /// When that fails; when PgBouncer is missing, unless `OPSKIT_TEST_NO_PGBOUNCER` is set.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("w")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let user = ServerUser::choose();
        make_certificates(dir.path());
        user.own(dir.path());
        let bin = ServerBinaries::locate(None, &ScratchEnv::from_process()).unwrap();
        let port = free_port();
        let place = dir.path().display();
        run(user.command(bin.dir().join("initdb"), dir.path()).args([
            "-D",
            "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--no-locale",
        ]));
        let data = dir.path().join("data");
        fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        let mut conf = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        conf.push_str(&format!(
            "\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{place}'\nssl = on\nfsync = off\n\
             ssl_cert_file = '{place}/server.crt'\nssl_key_file = '{place}/server.key'\nssl_ca_file = '{place}/ca.crt'\n\
             dynamic_shared_memory_type = mmap\n"
        ));
        fs::write(data.join("postgresql.conf"), conf).unwrap();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut postgres = user.command(bin.dir().join("postgres"), dir.path());
        let child = postgres
            .args(["-D", "data"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            children: vec![child],
            dir,
            port,
            pooler_port: None,
        };
        server.wait_for(&server.dir.path().join(format!(".s.PGSQL.{port}")));
        let url = format!(
            "host={} port={port} user=postgres dbname=postgres",
            server.dir.path().display()
        );
        wire(&url).await.execute(ROLES).await.unwrap();
        server.start_pooler(&user);
        server
    }

    /// Its port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The pooler's port, with the databases `session` and `transaction`.
    #[must_use]
    pub fn pooler_port(&self) -> Option<u16> {
        self.pooler_port
    }

    /// Where the certificates are: `ca`, `other`, `server` and `client`, `.crt` and `.key`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn start_pooler(&mut self, user: &ServerUser) {
        let Some(program) = find("pgbouncer") else {
            let is_meant = std::env::var_os("OPSKIT_TEST_NO_PGBOUNCER").is_some();
            assert!(
                is_meant,
                "pgbouncer is missing: `scripts/system.sh pgbouncer` installs it; OPSKIT_TEST_NO_PGBOUNCER=1 goes without"
            );
            return;
        };
        let (dir, port, pooler_port) = (self.dir.path().display(), self.port, free_port());
        let ini = format!(
            "[databases]\nsession = host={dir} port={port} dbname=postgres user=postgres pool_mode=session\n\
             transaction = host={dir} port={port} dbname=postgres user=postgres pool_mode=transaction\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {pooler_port}\nunix_socket_dir = {dir}\nauth_type = any\n\
             logfile = {dir}/bouncer.log\npidfile = {dir}/bouncer.pid\n"
        );
        fs::write(self.dir.path().join("bouncer.ini"), ini).unwrap();
        let mut pooler = user.command(program, self.dir.path());
        self.children.push(
            pooler
                .args(["-q", "bouncer.ini"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        self.pooler_port = Some(pooler_port);
        self.wait_for(&self.dir.path().join(format!(".s.PGSQL.{pooler_port}")));
    }

    /// Waits for the socket that appears when a program listens.
    fn wait_for(&self, socket: &Path) {
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "nobody listens on {}: {}",
                socket.display(),
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        // It listens before it takes connections.
        std::thread::sleep(Duration::from_millis(300));
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        for child in self.children.iter_mut().rev() {
            if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
                // A fast shutdown for the server, and the same for the pooler.
                let _ = kill_process(pid, Signal::INT);
            }
            let _ = child.wait();
        }
    }
}

/// Who runs the server: ourselves, or somebody harmless when we are root.
struct ServerUser(Option<(u32, u32)>);

impl ServerUser {
    fn choose() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let ids = |name: &str| {
            let line = passwd
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        Self(Some(
            ids("postgres")
                .or_else(|| ids("nobody"))
                .expect("a user to run the server as"),
        ))
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir);
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn own(&self, dir: &Path) {
        let entries = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for path in entries.chain([dir.to_owned()]) {
            if path.extension().is_some_and(|ext| ext == "key") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            }
            if let Some((uid, gid)) = self.0 {
                std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
            }
        }
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes `ca.crt`, and `server.crt` for localhost with its key, with `openssl`.
///
/// # Panics
///
/// When `openssl` fails.
pub fn make_certificates(dir: &Path) {
    let openssl = |args: &str| {
        run(Command::new("openssl")
            .args(args.split(' '))
            .current_dir(dir));
    };
    for name in ["ca", "other"] {
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -subj /CN={name} -days 2"
        ));
    }
    let issued = [
        (
            "server",
            "localhost",
            "sha384",
            "subjectAltName=DNS:localhost",
        ),
        (
            "client",
            "certuser",
            "sha256",
            "extendedKeyUsage=clientAuth",
        ),
    ];
    for (name, subject, digest, extension) in issued {
        openssl(&format!(
            "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={subject}"
        ));
        fs::write(dir.join(format!("{name}.ext")), extension).unwrap();
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -{digest} -days 2 -extfile {name}.ext -out {name}.crt"
        ));
    }
}

/// A port that nobody listens on.
///
/// # Panics
///
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A program of the PATH, or of where Debian keeps servers.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    dirs.map(|dir| dir.join(name))
        .find(|program| program.is_file())
}
