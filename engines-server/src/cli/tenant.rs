//! `tenant`: exports, imports and copies tenants.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use engines::{
    Clock, Env, Guard, IdGenerator, RequestContext, Scope, SystemClock, TenantId, UserId,
    archive::{ArchiveManifest, ExportOptions, ImportOptions, ImportReport, TenantArchives},
    core::{Store, gate::AllowAll},
};

use super::{
    error::CliError,
    operation_args::{TenantCommand, TenantExportArgs, TenantForkArgs, TenantImportArgs},
    runtime::block_on,
    store_access,
    terminal::print,
};
use crate::config;

type Variables = BTreeMap<String, String>;

pub(super) fn run(command: &TenantCommand, variables: &Variables) -> Result<ExitCode, CliError> {
    match command {
        TenantCommand::Export(args) => export(args, variables),
        TenantCommand::Import(args) => import(args, variables),
        TenantCommand::Fork(args) => fork(args, variables),
    }
}

/// Creates contexts for the operator who has access to the data folder.
struct OperatorContexts {
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
}

impl OperatorContexts {
    fn new() -> Result<Self, CliError> {
        Ok(Self { clock: Arc::new(SystemClock), ids: IdGenerator::from_os()? })
    }

    fn guard(&self) -> Guard {
        Guard::new(Arc::new(AllowAll), Arc::clone(&self.clock), self.ids.clone())
    }

    fn context(&self, scope: Scope, reason: &str) -> Result<RequestContext, CliError> {
        Ok(RequestContext::system(scope, reason, &*self.clock, &self.ids)?)
    }
}

fn tenant_id(text: &str) -> Result<TenantId, CliError> {
    TenantId::new(text).map_err(|error| format!("{text}: {}", error.detail()).into())
}

fn user_id(text: Option<&String>) -> Result<Option<UserId>, CliError> {
    let user = text.map(|text| UserId::new(text).map_err(|error| format!("{text}: {}", error.detail())));
    Ok(user.transpose()?)
}

fn export(args: &TenantExportArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let settings = config::load(&args.at.flags(), variables)?;
    let (tenant, operator) = (tenant_id(&args.tenant)?, OperatorContexts::new()?);
    let envs: Vec<Env> = args.env.iter().copied().map(Env::from).collect();
    block_on(async {
        let (store, beside) = store_access::open_to_read(&settings)?;
        let archives = TenantArchives::new(Arc::clone(&store) as Arc<dyn Store>, operator.guard())?;
        let archives = if beside { archives.read_only() } else { archives };
        let home = envs.first().copied().unwrap_or(Env::Prod);
        let context = operator.context(Scope::new(tenant, home), "tenant export on the command line")?;
        let options = ExportOptions { envs, key_slots: args.key_slots };
        let draft = PartialFile::create(&args.out)?;
        let written = archives.export(&context, options, BufWriter::new(draft.file.try_clone()?)).await;
        store.close().await;
        let (_, manifest) = written?;
        draft.finish()?;
        print(&export_summary(&manifest, &args.out));
        if beside {
            print("a server uses the data, so no audit record of the export was written");
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A file under a temporary name until it is complete.
struct PartialFile {
    file: File,
    path: PathBuf,
    to: PathBuf,
    finished: bool,
}

impl PartialFile {
    fn create(to: &Path) -> Result<Self, CliError> {
        let exists = || format!("{} already exists; name another file", to.display());
        if to.try_exists()? {
            return Err(exists().into());
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // The archive contains all data of a tenant, so only its owner may read it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| format!("{} cannot be created: {error}", path.display()))?;
        Ok(Self { file, path, to: to.to_owned(), finished: false })
    }

    /// Makes the file durable and gives it its name. It fails if a file of that name exists by now.
    fn finish(mut self) -> Result<(), CliError> {
        self.file.sync_all()?;
        fs::hard_link(&self.path, &self.to)
            .map_err(|error| format!("{} cannot be created: {error}", self.to.display()))?;
        self.finished = true;
        fs::remove_file(&self.path)?;
        let folder = self.to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(File::open(folder)?.sync_all()?)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn export_summary(manifest: &ArchiveManifest, file: &Path) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let mut text = format!(
        "exported {} to {}: {} files, {bytes} bytes",
        manifest.header.tenant,
        file.display(),
        manifest.files.len() + 1
    );
    for (env, counts) in &manifest.counts {
        let counts: Vec<_> = counts.iter().map(|(section, count)| format!("{} {count}", section.as_str())).collect();
        text.push_str(&format!("\n  {env}: {}", counts.join(", ")));
    }
    for left in &manifest.left_out {
        let count = left.count.map(|count| format!(" ({count})")).unwrap_or_default();
        text.push_str(&format!("\n  left out: {}{count}: {}", left.what, left.reason));
    }
    text
}

fn import(args: &TenantImportArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let settings = config::load(&args.at.flags(), variables)?;
    let rename = args.rename.as_deref().map(tenant_id).transpose()?;
    let (owner, operator) = (user_id(args.owner.as_ref())?, OperatorContexts::new()?);
    let file = File::open(&args.file).map_err(|error| format!("{} cannot be read: {error}", args.file.display()))?;
    block_on(async {
        let store = store_access::open(&settings)?;
        let archives = TenantArchives::new(Arc::clone(&store) as Arc<dyn Store>, operator.guard())?;
        let context = operator.context(Scope::system()?, "tenant import on the command line")?;
        // No server runs, so a new log cuts off no reader.
        let options = ImportOptions { rename, owner, new_log: true };
        let imported = archives.import(&context, BufReader::new(file), options).await;
        store.close().await;
        print(&import_summary("imported", &imported?));
        Ok(ExitCode::SUCCESS)
    })
}

fn fork(args: &TenantForkArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let settings = config::load(&args.at.flags(), variables)?;
    let (tenant, rename) = (tenant_id(&args.tenant)?, tenant_id(&args.rename)?);
    let (owner, operator) = (user_id(args.owner.as_ref())?, OperatorContexts::new()?);
    block_on(async {
        let store = store_access::open(&settings)?;
        let archives = TenantArchives::new(Arc::clone(&store) as Arc<dyn Store>, operator.guard())?;
        let source = operator.context(Scope::new(tenant, Env::Prod), "tenant fork on the command line")?;
        let system = operator.context(Scope::system()?, "tenant fork on the command line")?;
        let forked = archives.fork(&source, &system, &rename, owner).await;
        store.close().await;
        print(&import_summary("forked", &forked?));
        Ok(ExitCode::SUCCESS)
    })
}

fn import_summary(done: &str, imported: &ImportReport) -> String {
    let ImportReport { tenant, envs, records, members, unknown, new_log } = imported;
    let envs: Vec<_> = envs.iter().map(|env| env.as_str()).collect();
    let mut text = format!("{done} {tenant}: {}, {records} records, {} members", envs.join(", "), members.len());
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.iter().map(UserId::as_str).collect();
        text.push_str(&format!(
            "\n  members without an account in this store, who were left out: {}",
            names.join(", ")
        ));
    }
    if members.is_empty() {
        text.push_str("\n  it has no member; name an owner (--owner USER), otherwise nobody can use it");
    }
    if new_log.is_some() {
        text.push_str(
            "\n  the log has a new id: every reader of this store gets REPLAY_MISS once and must read from the start",
        );
    }
    text
}
