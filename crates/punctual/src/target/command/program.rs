//! Programs: which file a name stands for, and whether the operator allows it to be run.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::error::Error;

/// Which programs jobs may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// None.
    #[default]
    None,
    /// Any. Whoever may enqueue may then do what the worker's user may do.
    All,
    /// These: names, which are looked up in the worker's `PATH`, and absolute paths. A job's program is looked up in the same
    /// way, and must have the same name in the same folder, see [the module](super#what-may-be-run). What the program does with its
    /// arguments, and with variables of its own, is not looked at: a shell, an interpreter or `env` on the list allows
    /// everything.
    Programs(Vec<String>),
}

/// Why a program is not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRun {
    /// The settings do not allow it.
    Refused(String),
    /// There is no such file, or it is not executable.
    Missing(String),
}

impl Allow {
    /// Refuses a list with an entry that is neither a name nor an absolute path.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Allow::Programs(programs) = self else {
            return Ok(());
        };
        let odd =
            |program: &&String| program.is_empty() || program.contains('/') && !program.starts_with('/');
        match programs.iter().find(odd) {
            None => Ok(()),
            Some(odd) => Err(Error::invalid(format!(
                "{odd:?} is neither a program's name nor an absolute path"
            ))),
        }
    }

    /// The file to run for this program, if it is there and may be run. A relative path counts from `dir`, or else from the
    /// directory of this process.
    pub(super) fn find(&self, program: &str, dir: Option<&str>) -> Result<PathBuf, NotRun> {
        if *self == Allow::None {
            return Err(NotRun::Refused(
                "no command is run here: the setting targets.command.allow (--allow-command) names no program".to_owned(),
            ));
        }
        let found = locate(program, dir).ok_or_else(|| {
            NotRun::Missing(format!(
                "there is no program {program:?}, or it is not executable"
            ))
        })?;
        let allowed = match self {
            Allow::None => false,
            Allow::All => true,
            Allow::Programs(programs) => programs
                .iter()
                .any(|program| locate(program, None).as_ref() == Some(&found)),
        };
        match allowed {
            true => Ok(found),
            false => Err(NotRun::Refused(format!(
                "{} is not run here: the setting targets.command.allow (--allow-command) does not name it",
                found.display()
            ))),
        }
    }
}

/// Variables by which a program runs code that is not its own, without meaning to; with a star, all that begin so.
///
/// The first ones lead the loader and the C library. They are those of glibc's list of what it takes from a program that has
/// more rights than its caller (`sysdeps/generic/unsecvars.h`), as far as what they name is code or is trusted like it. The
/// others lead shells and interpreters, and so each script. They are those that sudo takes away (`initial_badenv_table` in
/// its `plugins/sudoers/env.c`), as far as they lead to code, and the like of Node.js.
const LEADING_TO_CODE: [&str; 33] = [
    "LD_*",
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "LOCPATH",
    "MALLOC_TRACE",
    "NLSPATH",
    // shells
    "ENV",
    "BASH_ENV",
    "BASH_FUNC_*",
    "BASHOPTS",
    "SHELLOPTS",
    "PS4",
    "FPATH",
    "ZDOTDIR",
    "NULLCMD",
    "READNULLCMD",
    // interpreters
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERLIO_DEBUG",
    "PERLLIB",
    "PERL5LIB",
    "PERL5OPT",
    "PERL5DB",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "RUBYLIB",
    "RUBYOPT",
];

fn leads_to_code(name: &str) -> bool {
    LEADING_TO_CODE.iter().any(|known| match known.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == *known,
    })
}

impl Allow {
    /// Refuses variables by which a program on the list would run another one's code.
    pub(super) fn check_variables<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), NotRun> {
        match (self, names.into_iter().find(|name| leads_to_code(name))) {
            (Allow::Programs(_), Some(name)) => Err(NotRun::Refused(format!(
                "the variable {name} is not set here: with it, each program that the setting targets.command.allow names \
                 could run any code"
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotRun::Refused(why) | NotRun::Missing(why) => f.write_str(why),
        }
    }
}

/// Where programs are looked for when the worker has no `PATH` of its own.
pub(super) const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The executable file that a program's name or path stands for, by its name in its folder, whose links are followed.
fn locate(program: &str, dir: Option<&str>) -> Option<PathBuf> {
    if program.contains('/') {
        let path = Path::new(dir.unwrap_or(".")).join(program);
        return in_its_folder(&path).filter(|path| is_executable(path));
    }
    let folders = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    // A relative entry would make what is run depend on where the worker was started.
    let folders = std::env::split_paths(&folders).filter(|folder| folder.is_absolute());
    let mut files = folders.map(|folder| folder.join(program));
    files
        .find(|path| is_executable(path))
        .as_deref()
        .and_then(in_its_folder)
}

/// The path with its folder as it really is. Nothing if there is no such folder, or the path ends with none of its files.
fn in_its_folder(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let folder = path.parent()?.canonicalize().ok()?;
    Some(folder.join(name))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}
