//! Which system user the server runs as: Postgres refuses to run as root.

use super::env::ScratchEnv;
use crate::error::{Error, ErrorKind, Result, storage};
use rustix::fs::{Gid, Uid};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The users to try when this process is root, best first.
const UNPRIVILEGED: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// The system user of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUser {
    /// Its user id.
    pub(super) uid: u32,
    /// Its primary group.
    pub(super) gid: u32,
    /// Its name, when it is not the user of this process.
    dropped_to: Option<String>,
}

impl ServerUser {
    /// The user of this process, or `run_as`, or, for root, an unprivileged user of the machine.
    pub(super) fn choose(run_as: Option<&str>) -> Result<Self> {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if !uid.is_root() {
            return match run_as {
                None => Ok(Self {
                    uid: uid.as_raw(),
                    gid: gid.as_raw(),
                    dropped_to: None,
                }),
                Some(name) => Err(Error::new(
                    ErrorKind::PermissionDenied,
                    format!("cannot run the scratch server as user \"{name}\""),
                )
                .with_hint("Only root can start a server as another user; leave the user out.")),
            };
        }
        let passwd = std::fs::read_to_string("/etc/passwd")
            .map_err(|e| storage("cannot read \"/etc/passwd\"", e))?;
        let names = run_as.map_or(UNPRIVILEGED.to_vec(), |name| vec![name]);
        from_passwd(&passwd, &names).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("no unprivileged user to run the scratch server (tried {})", names.join(", ")),
            )
            .with_hint("Postgres refuses to run as root: create a user named \"postgres\", or run this as another user.")
        })
    }

    /// A command that runs as this user, with nothing of our environment but what servers need.
    pub(super) fn command(&self, program: &Path, env: &ScratchEnv) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .current_dir("/");
        if let Some(path) = &env.path {
            command.env("PATH", path);
        }
        if let Some(path) = &env.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        if self.dropped_to.is_some() {
            // `Command` also drops the supplementary groups when it changes the user as root.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives `path` to this user.
    pub(super) fn own(&self, path: &Path) -> std::io::Result<()> {
        match self.dropped_to {
            Some(_) => std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)),
            None => Ok(()),
        }
    }

    /// Lets this user pass through `path`, which stays ours.
    pub(super) fn let_through(&self, path: &Path) -> std::io::Result<()> {
        if self.dropped_to.is_some() {
            rustix::fs::chown(path, None::<Uid>, Some(Gid::from_raw(self.gid)))?;
            rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(0o710))?;
        }
        Ok(())
    }

    /// Whether this user can reach what is in `dir`, as far as mode bits tell.
    pub(super) fn can_reach(&self, dir: &Path) -> bool {
        self.dropped_to.is_none()
            || dir.ancestors().all(|dir| {
                dir.metadata().is_ok_and(|meta| {
                    let shift = if meta.uid() == self.uid {
                        6
                    } else if meta.gid() == self.gid {
                        3
                    } else {
                        0
                    };
                    (meta.mode() >> shift) & 1 == 1
                })
            })
    }

    /// How messages call this user.
    pub(super) fn name(&self) -> &str {
        self.dropped_to.as_deref().unwrap_or("the current user")
    }
}

/// The first of `names` that `passwd` has and that is not root.
fn from_passwd(passwd: &str, names: &[&str]) -> Option<ServerUser> {
    names.iter().find_map(|wanted| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| name == wanted)?;
            let mut ids = fields.skip(1).map(|id| id.parse::<u32>().ok());
            let (uid, gid) = (ids.next()??, ids.next()??);
            (uid != 0).then(|| ServerUser {
                uid,
                gid,
                dropped_to: Some(name.to_owned()),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:104:a,b:/var:/bin/sh\nevil:x:0:1::/:/bin/sh\nodd:x\n";

    #[test]
    fn the_first_name_present_is_taken_and_root_never() {
        let user = from_passwd(PASSWD, &UNPRIVILEGED).unwrap();
        assert_eq!((user.uid, user.gid, user.name()), (101, 104, "postgres"));
        assert_eq!(from_passwd(PASSWD, &["nobody"]).unwrap().uid, 65534);
        for name in ["root", "evil", "odd", "absent"] {
            assert_eq!(from_passwd(PASSWD, &[name]), None, "{name}");
        }
    }

    #[test]
    fn a_command_carries_no_environment_but_what_servers_need() {
        let user = ServerUser {
            uid: 1,
            gid: 1,
            dropped_to: None,
        };
        let env = ScratchEnv {
            path: Some("/bin".into()),
            ..ScratchEnv::default()
        };
        let command = user.command(Path::new("/bin/true"), &env);
        let names: Vec<_> = command
            .get_envs()
            .map(|(name, _)| name.to_owned())
            .collect();
        assert_eq!(names, ["LC_ALL", "PATH"]);
    }
}
