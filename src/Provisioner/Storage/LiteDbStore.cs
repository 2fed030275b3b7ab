using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using LiteDB;
using LiteDB.Engine;
using Provisioner.Audit;
using Provisioner.Auth;
using Provisioner.Certificates;
using Provisioner.Clusters;
using Provisioner.Events;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Joining;
using Provisioner.Kubernetes;
using Provisioner.Networks;
using Provisioner.Profiles;
using JsonException = System.Text.Json.JsonException;
using JsonSerializer = System.Text.Json.JsonSerializer;

namespace Provisioner.Storage;

/// <summary>
/// LiteDB 5.0.20 in direct mode, behind a directory lock, by one caller at a time. Each record is its key and JSON text: LiteDB's
/// object mapper trims texts, cuts times and is not safe when first used by several threads.
/// </summary>
/// <remarks>
/// LiteDB writes its log from a background queue and notices a missing tail as little as a missing file. So a durable commit ends
/// with a checkpoint (log into data file, fsync), and the number of the last durable commit is kept in a small file beside the
/// database: a database that knows less than that has lost something, and is refused.
/// </remarks>
internal sealed class LiteDbStore : IStore
{
    private const int PageSize = 8192;

    private static readonly TimeSpan ReopenPause = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly string path;
    private readonly string sequencePath;
    private readonly string journalPath;
    private readonly StoreLimits limits;
    private readonly IReadOnlyList<Migration> migrations;
    private readonly DirectoryLock directoryLock;
    private readonly List<(long Commit, List<(RecordKey Key, string Record)> Records)> unjournaled = [];
    private readonly List<AuditLine> unaudited = [];
    private LiteDatabase? database;
    private DatabaseFiles? files;
    private DatabaseFiles? opening;
    private RecordJournal? journal;
    private AuditTrail? trail;
    private string? closedBecause;
    private Exception? closedBy;
    private long closedAt;
    private long sequence;
    private long lastEventId;
    private long firstEventId;
    private bool ahead;
    private bool disposed;

    private LiteDbStore(string directory, StoreLimits limits, IReadOnlyList<Migration> migrations, DirectoryLock directoryLock)
    {
        path = Path.Combine(directory, "provisioner.db");
        sequencePath = Path.Combine(directory, "provisioner.sequence");
        journalPath = Path.Combine(directory, "certificates.journal");
        this.limits = limits;
        this.migrations = migrations;
        this.directoryLock = directoryLock;
    }

    public long LastEventId
    {
        get
        {
            lock (gate)
                return lastEventId;
        }
    }

    /// <summary>Takes the directory's lock, opens the database, checks it whole and brings it to the present form.</summary>
    /// <exception cref="StoreException">One line that says what is wrong and what to do.</exception>
    public static LiteDbStore Open(string directory, StoreLimits? limits = null, IReadOnlyList<Migration>? migrations = null)
    {
        try
        {
            if (OperatingSystem.IsLinux() && !Directory.Exists(directory))
                Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"the data directory {directory} cannot be made: {e.Message}; choose another by --data", e);
        }
        var store = new LiteDbStore(directory, limits ?? new StoreLimits(), migrations ?? Migration.All, DirectoryLock.Take(directory));
        try
        {
            store.OpenDatabase();
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public Snapshot LoadSnapshot()
    {
        lock (gate)
        {
            var db = Database();
            var hosts = Load<Host>(db, Hosts).ToDictionary(h => h.Name);
            var latest = new Dictionary<string, Installation>();
            foreach (var installation in Load<Installation>(db, Installations))
            {
                if (hosts.ContainsKey(installation.Host) && (!latest.TryGetValue(installation.Host, out var other) || installation.OpenedAt >= other.OpenedAt))
                    latest[installation.Host] = installation;
            }
            var empty = Snapshot.Empty;
            var certificates = Load<Certificate>(db, Certificates);
            return empty with
            {
                Revision = Meta(db)["revision"].AsInt64,
                Hosts = empty.Hosts.AddRange(hosts),
                HostByMacAddress = empty.HostByMacAddress.AddRange(hosts.Values.SelectMany(h => h.Spec.MacAddresses, (h, mac) => KeyValuePair.Create(mac, h.Name))),
                Profiles = empty.Profiles.AddRange(Load<Profile>(db, Profiles).Select(p => KeyValuePair.Create(p.Name, p))),
                Images = empty.Images.AddRange(Load<Image>(db, Images).Select(i => KeyValuePair.Create(i.Name, i))),
                Networks = empty.Networks.AddRange(Load<Network>(db, Networks).Select(n => KeyValuePair.Create(n.Name, n))),
                Clusters = empty.Clusters.AddRange(Load<Cluster>(db, Clusters).Select(c => KeyValuePair.Create(c.Name, c))),
                Discovered = empty.Discovered.AddRange(Load<Discovered>(db, Discovered).Select(d => KeyValuePair.Create(d.MacAddress, d))),
                Installations = empty.Installations.AddRange(latest),
                HostByInstallation = empty.HostByInstallation.AddRange(latest.Values.Select(i => KeyValuePair.Create(i.Id, i.Host))),
                Authorities = empty.Authorities.AddRange(Load<Authority>(db, Authorities).Select(a => KeyValuePair.Create(a.Id, a))),
                Certificates = empty.Certificates.AddRange(certificates.Select(c => KeyValuePair.Create(c.Serial, c))),
                CertificatesByHost = empty.CertificatesByHost.AddRange(certificates.GroupBy(c => c.Host)
                    .Select(g => KeyValuePair.Create(g.Key, g.OrderBy(c => c.IssuedAt).Select(c => c.Serial).ToImmutableList()))),
                Revoked = empty.Revoked.Union(certificates.Where(c => c.IsRevoked).Select(c => c.Serial)),
                HostByKey = empty.HostByKey.SetItems(certificates.OrderBy(c => c.IssuedAt).Select(c => KeyValuePair.Create(c.KeyHash, c.Host))),
                CompromisedKeys = empty.CompromisedKeys.Union(certificates.Where(c => c.RevokedBecause == RevocationReason.KeyCompromise).Select(c => c.KeyHash)),
                LastIssuedAt = certificates.Where(c => !c.IsRevoked).Select(c => (DateTimeOffset?)c.IssuedAt).Max(),
                HostReports = empty.HostReports.AddRange(Load<HostReport>(db, HostReports).Where(r => hosts.ContainsKey(r.Host)).Select(r => KeyValuePair.Create(r.Host, r))),
                Joins = empty.Joins.AddRange(Load<HostJoin>(db, HostJoins).Where(j => hosts.ContainsKey(j.Host)).Select(j => KeyValuePair.Create(j.Host, j))),
                Findings = empty.Findings.AddRange(Load<HostFindings>(db, Findings).Where(f => hosts.ContainsKey(f.Host)).Select(f => KeyValuePair.Create(f.Host, f))),
                Nodes = empty.Nodes.AddRange(Load<HostNode>(db, Nodes).Where(n => hosts.ContainsKey(n.Host)).Select(n => KeyValuePair.Create(n.Host, n))),
                Contacts = empty.Contacts.AddRange(Load<ClusterContact>(db, Contacts).Select(c => KeyValuePair.Create(c.Cluster, c))),
                Rollouts = empty.Rollouts.AddRange(Load<Rollout>(db, Rollouts).Select(r => KeyValuePair.Create(r.Id, r))),
                DesiredVersions = empty.DesiredVersions.AddRange(Load<DesiredVersion>(db, DesiredVersions).Where(v => hosts.ContainsKey(v.Host)).Select(v => KeyValuePair.Create(v.Host, v))),
                Users = empty.Users.AddRange(Load<User>(db, Users).Select(u => KeyValuePair.Create(u.Name, u))),
                Sessions = empty.Sessions.AddRange(Load<Session>(db, Sessions).Select(s => KeyValuePair.Create(s.Id, s))),
                ApiTokens = empty.ApiTokens.AddRange(Load<ApiToken>(db, ApiTokens).Select(t => KeyValuePair.Create(t.Id, t))),
                Alerts = empty.Alerts.AddRange(Load<Alert>(db, Alerts).Select(a => KeyValuePair.Create(a.Id, a))),
            };
        }
    }

    public IReadOnlyList<Lease> LoadLeases()
    {
        lock (gate)
            return Load<Lease>(Database(), Leases);
    }

    public IReadOnlyList<Installation> LoadInstallations(string host)
    {
        lock (gate)
        {
            var found = Database().GetCollection(Installations).Find(BsonExpression.Create("$.h = @0", host)).ToList();
            return [.. found.Select(d => Parse<Installation>(Installations, d)).OrderByDescending(i => i.OpenedAt)];
        }
    }

    public IReadOnlyList<Event> FindEvents(EventQuery query)
    {
        var limit = Math.Clamp(query.Limit, 1, 10_000);
        lock (gate)
        {
            var events = Database().GetCollection(Events);
            var newestFirst = query.AfterId is null;
            var from = query.AfterId is { } after ? after + 1 : 0;
            var found = new SortedDictionary<long, BsonDocument>();
            void Take(IEnumerable<BsonDocument> documents)
            {
                foreach (var document in documents.ToList())
                    found.TryAdd(document["_id"].AsInt64, document);
            }

            if (query.Host is null && query.MacAddresses.IsEmpty)
                Take(Range(events, "$._id", from, long.MaxValue, newestFirst, limit));
            // Each key begins with what is asked for and goes on with the id, so that one walk along the index is the answer.
            if (query.Host is { } host)
                Take(Range(events, "$.h", Key(host, from), Key(host, long.MaxValue), newestFirst, limit));
            foreach (var mac in query.MacAddresses)
                Take(Range(events, "$.m", Key(mac.ToString(), from), Key(mac.ToString(), long.MaxValue), newestFirst, limit));
            var chosen = newestFirst ? found.Values.TakeLast(limit) : found.Values.Take(limit);
            return [.. chosen.Select(d => Parse<Event>(Events, d) with { Id = d["_id"].AsInt64 })];
        }
    }

    public bool HasMoreThanAcknowledged()
    {
        lock (gate)
        {
            Database();
            CatchUpJournal();
            var more = ahead;
            ahead = false;
            return more;
        }
    }

    public IReadOnlyList<Event> Commit(Commit commit)
    {
        lock (gate)
        {
            var db = Database();
            CatchUpJournal();
            if (ahead)
                throw new StoreException("the store has opened again and knows more than the snapshot this change was made from: try again");
            var events = commit.Events.Select((e, i) => e with { Id = lastEventId + 1 + i }).ToList();
            var next = sequence + 1;
            var lines = LinesOf(commit.Audit);
            try
            {
                Write(db, commit, events, lines, next);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Whether it was stored before it broke, the database itself has to say.
                if (IsStoredAfter(e, next) is not { } stored)
                    throw new StoreException($"the change is not acknowledged, and whether it is stored shows only when the store can be opened again: {Reason(e)}", CauseOf(e));
                if (!stored)
                    throw new StoreException($"the change was not stored: {Reason(e)}", CauseOf(e));
            }
            sequence = next;
            if (events.Count > 0)
            {
                if (firstEventId == 0)
                    firstEventId = events[0].Id;
                lastEventId = events[^1].Id;
            }
            if (commit.Durable)
                WriteSequence();
            var records = Journaled(commit.Writes);
            if (records.Count > 0 || lines.Count > 0)
            {
                if (records.Count > 0)
                    unjournaled.Add((next, records));
                unaudited.AddRange(lines);
                try
                {
                    CatchUpJournal();
                }
                catch (StoreException)
                {
                    // Stored, but not acknowledged: what is in the journal alone leaves the service.
                    ahead = true;
                    throw;
                }
            }
            return events;
        }
    }

    public long CopyTo(string directory)
    {
        lock (gate)
        {
            var db = Database();
            CatchUpJournal();
            try
            {
                // With the log in the data file, the data file alone is all there is.
                Checkpoint(db);
                VerifyPages();
                File.Copy(path, Path.Combine(directory, Path.GetFileName(path)));
                File.Copy(journalPath, Path.Combine(directory, Path.GetFileName(journalPath)));
                File.WriteAllText(Path.Combine(directory, Path.GetFileName(sequencePath)), SequenceText());
                return sequence;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or LiteException)
            {
                throw new StoreException($"{directory} cannot be filled with a copy of the database: {Reason(e)}", e);
            }
        }
    }

    public string? FindDamage()
    {
        try
        {
            lock (gate)
            {
                Database();
                VerifyPages();
                _ = LoadSnapshot();
                foreach (var _ in journal!.Read(after: 0))
                {
                    // Each line is checked as it is read.
                }
            }
            return null;
        }
        catch (Exception e) when (e is StoreException or LiteException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    public int ForgetEvents(DateTimeOffset before, int most)
    {
        lock (gate)
        {
            var db = Database();
            var log = db.GetCollection(Events, BsonAutoId.Int64);
            var old = log.Query().OrderBy("$._id").Limit(most).ToList().TakeWhile(d => Parse<Event>(Events, d).At < before).ToList();
            if (old.Count == 0)
                return 0;
            var next = old[^1]["_id"].AsInt64 + 1;
            try
            {
                log.DeleteMany(BsonExpression.Create("$._id < @0", next));
            }
            catch (Exception e) when (e is LiteException or IOException)
            {
                throw new StoreException($"events that are over cannot be removed: {Reason(e)}", e);
            }
            firstEventId = next;
            return old.Count;
        }
    }

    /// <summary>What is wrong with the database of a directory that no service has open, by reading it alone; null when nothing shows.</summary>
    public static string? Inspect(string directory)
    {
        var file = Path.Combine(directory, "provisioner.db");
        if (!File.Exists(file))
            return File.Exists(Path.Combine(directory, "provisioner.sequence")) ? $"{file} is gone: {RestoreAdvice(directory)}" : null;
        try
        {
            VerifyHeader(file);
            // What the log holds is not in the data file yet, so that its pages count only when there is none.
            if (!File.Exists(Path.Combine(directory, "provisioner-log.db")))
                VerifyPages(file);
            return null;
        }
        catch (Exception e) when (e is StoreException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            Close();
            journal?.Dispose();
            trail?.Dispose();
            directoryLock.Dispose();
        }
    }

    private const string Hosts = "hosts", Profiles = "profiles", Images = "images", Networks = "networks",
        Discovered = "discovered", Installations = "installations", Leases = "leases", Events = "events", MetaName = "meta",
        Authorities = "authorities", Certificates = "certificates", HostReports = "hostReports", Alerts = "alerts", Clusters = "clusters",
        HostJoins = "hostJoins", Findings = "findings",
        Nodes = "nodes", Contacts = "clusterContacts", Rollouts = "rollouts", DesiredVersions = "desiredVersions",
        Users = "users", Sessions = "sessions", ApiTokens = "apiTokens", Audit = "audit";

    // What the journal keeps as well.
    private static readonly RecordKind[] JournaledKinds = [RecordKind.Authority, RecordKind.Certificate];

    private static string CollectionOf(RecordKind kind) => kind switch
    {
        RecordKind.Host => Hosts,
        RecordKind.Profile => Profiles,
        RecordKind.Image => Images,
        RecordKind.Network => Networks,
        RecordKind.Discovered => Discovered,
        RecordKind.Installation => Installations,
        RecordKind.Authority => Authorities,
        RecordKind.Certificate => Certificates,
        RecordKind.HostReport => HostReports,
        RecordKind.Alert => Alerts,
        RecordKind.Cluster => Clusters,
        RecordKind.HostJoin => HostJoins,
        RecordKind.HostFindings => Findings,
        RecordKind.Node => Nodes,
        RecordKind.ClusterContact => Contacts,
        RecordKind.Rollout => Rollouts,
        RecordKind.DesiredVersion => DesiredVersions,
        RecordKind.User => Users,
        RecordKind.Session => Sessions,
        RecordKind.ApiToken => ApiTokens,
        _ => Leases,
    };

    /// <summary>The lines that follow those there are.</summary>
    private List<AuditLine> LinesOf(IReadOnlyList<AuditEntry> entries)
    {
        var (last, head) = unaudited is [.., var newest] ? (newest.Sequence, newest.Hash) : (trail!.Last, trail.Head);
        var lines = new List<AuditLine>(entries.Count);
        foreach (var entry in entries)
        {
            lines.Add(AuditLine.Write(entry, ++last, head));
            head = lines[^1].Hash;
        }
        return lines;
    }

    private void Write(LiteDatabase db, Commit commit, List<Event> events, List<AuditLine> lines, long next)
    {
        if (!commit.Durable)
        {
            WriteTransaction(db, commit, events, lines, next);
            ThrowIfLogBroke();
            return;
        }
        files!.Hold();
        try
        {
            WriteTransaction(db, commit, events, lines, next);
            Checkpoint(db);
        }
        finally
        {
            files.Release();
        }
    }

    /// <exception cref="IOException">The log could not be written, so that what seems to be in the data file may not be.</exception>
    private void Checkpoint(LiteDatabase db)
    {
        db.Checkpoint();
        ThrowIfLogBroke();
    }

    private void ThrowIfLogBroke()
    {
        if ((opening ?? files)?.LogProblem is { } problem)
            throw new IOException(problem.Message, problem);
    }

    private void WriteTransaction(LiteDatabase db, Commit commit, List<Event> events, List<AuditLine> lines, long next)
    {
        db.BeginTrans();
        try
        {
            foreach (var ((kind, id), record) in commit.Writes)
            {
                var collection = db.GetCollection(CollectionOf(kind), BsonAutoId.Int64);
                if (record is null)
                {
                    collection.Delete(id);
                    continue;
                }
                var document = new BsonDocument { ["_id"] = id, ["v"] = ToJson(record) };
                if (JournaledKinds.Contains(kind))
                    document["n"] = next;
                if (record is Installation installation)
                    document["h"] = installation.Host;
                collection.Upsert(document);
            }
            var log = db.GetCollection(Events, BsonAutoId.Int64);
            if (events.Count > 0)
                log.Insert(events.Select(ToDocument));
            if (lines.Count > 0)
            {
                var audit = db.GetCollection(Audit, BsonAutoId.Int64);
                // Those that the file has.
                audit.DeleteMany(BsonExpression.Create("$._id <= @0", trail!.Last));
                audit.Insert(lines.Select(line => new BsonDocument { ["_id"] = line.Sequence, ["v"] = line.Text }));
            }
            var first = Prune(log, events.Count == 0 ? lastEventId : events[^1].Id);
            db.GetCollection(MetaName).Upsert(new BsonDocument { ["_id"] = 1, ["revision"] = commit.Revision, ["sequence"] = next });
            db.Commit();
            if (first > firstEventId)
                firstEventId = first;
        }
        catch
        {
            try
            {
                db.Rollback();
            }
            catch (Exception e) when (e is LiteException or IOException or ObjectDisposedException or InvalidOperationException)
            {
                // The engine is down already; it is opened anew below.
            }
            throw;
        }
    }

    // A removal is not journaled: what the database forgets because it is long over, the journal keeps.
    private static List<(RecordKey Key, string Record)> Journaled(IReadOnlyDictionary<RecordKey, object?> writes) =>
        [.. from write in writes where write.Value is not null && JournaledKinds.Contains(write.Key.Kind) select (write.Key, ToJson(write.Value!))];

    private static string ToJson(object record) => JsonSerializer.Serialize(record, record.GetType(), RecordJson.Options);

    /// <summary>Writes to the journal what an earlier commit could not.</summary>
    private void CatchUpJournal()
    {
        while (unjournaled.Count > 0)
        {
            var (number, records) = unjournaled[0];
            try
            {
                journal!.Append(number, records);
            }
            catch (IOException e)
            {
                throw new StoreException($"the change is not acknowledged, because it is not in the journal of certificates: {e.Message}", e);
            }
            unjournaled.RemoveAt(0);
        }
        try
        {
            trail!.Append(unaudited);
        }
        catch (IOException e)
        {
            throw new StoreException($"the change is not acknowledged, because it is not in the audit trail: {e.Message}", e);
        }
        unaudited.Clear();
    }

    /// <summary>Brings database and journal to the same state after a crash, or after either was brought back from a backup.</summary>
    private void Reconcile(LiteDatabase db)
    {
        journal ??= RecordJournal.Open(journalPath);
        trail ??= AuditTrail.Open(Path.GetDirectoryName(path)!);
        unjournaled.Clear();
        unaudited.Clear();
        foreach (var document in db.GetCollection(Audit, BsonAutoId.Int64).Find(BsonExpression.Create("$._id > @0", trail.Last)).OrderBy(d => d["_id"].AsInt64).ToList())
        {
            if (AuditLine.TryParse(document["v"].AsString, out _) is { } line)
                unaudited.Add(line);
        }
        var last = journal.LastCommit;
        foreach (var kind in JournaledKinds)
        {
            foreach (var document in db.GetCollection(CollectionOf(kind)).Find(BsonExpression.Create("$.n > @0", last)).ToList())
                unjournaled.Add((document["n"].AsInt64, [(new RecordKey(kind, document["_id"].AsString), document["v"].AsString)]));
        }
        // A crash came between the two: what the database has and the journal has not, as one commit of the last number.
        if (unjournaled.Count > 0)
        {
            var missing = unjournaled.OrderBy(u => u.Commit).SelectMany(u => u.Records).ToList();
            unjournaled.Clear();
            unjournaled.Add((sequence, missing));
        }
        CatchUpJournal();
        if (last > sequence)
        {
            // The database is the older one, or a new one.
            db.BeginTrans();
            foreach (var line in journal.Read(after: sequence))
            {
                foreach (var (key, record) in line.Records)
                    db.GetCollection(CollectionOf(key.Kind), BsonAutoId.Int64).Upsert(new BsonDocument { ["_id"] = key.Id, ["v"] = record, ["n"] = line.Commit });
            }
            db.GetCollection(MetaName).Upsert(new BsonDocument { ["_id"] = 1, ["revision"] = Meta(db)["revision"].AsInt64 + 1, ["sequence"] = last });
            db.Commit();
            Checkpoint(db);
            sequence = last;
            WriteSequence();
        }
    }

    // A little with every batch: deleting all that is too much at once would hold the lane for seconds.
    private long Prune(ILiteCollection<BsonDocument> log, long last)
    {
        var tooMany = last - firstEventId + 1 - limits.Events;
        if (firstEventId == 0 || tooMany <= 0)
            return 0;
        var first = firstEventId + Math.Min(tooMany, 2_000);
        log.DeleteMany(BsonExpression.Create("$._id < @0", first));
        return first;
    }

    private static BsonDocument ToDocument(Event entry)
    {
        var document = new BsonDocument { ["_id"] = entry.Id, ["v"] = RecordJson.Write(entry with { Id = 0 }) };
        if (entry.Host is { } host)
            document["h"] = Key(host, entry.Id);
        if (entry.MacAddress is { } mac)
            document["m"] = Key(mac.ToString(), entry.Id);
        return document;
    }

    private static string Key(string what, long id) => string.Create(CultureInfo.InvariantCulture, $"{what}|{id:x16}");

    private static IEnumerable<BsonDocument> Range(ILiteCollection<BsonDocument> collection, string field, BsonValue from, BsonValue to, bool newestFirst, int limit)
    {
        var query = collection.Query().Where(BsonExpression.Create($"{field} BETWEEN @0 AND @1", from, to));
        return (newestFirst ? query.OrderByDescending(field) : query.OrderBy(field)).Limit(limit).ToEnumerable();
    }

    private LiteDatabase Database()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (files?.LogProblem is { } problem)
        {
            // What nobody waited for was not written. What was acknowledged is in the data file.
            Close();
            (closedBecause, closedBy, closedAt) = (Reason(problem), problem, Environment.TickCount64 - (long)ReopenPause.TotalMilliseconds);
        }
        if (database is not null)
            return database;
        // It broke before; a full disk may have room again. Not tried by every caller at once.
        if (closedBecause is not null && Environment.TickCount64 - closedAt < ReopenPause.TotalMilliseconds)
            throw new StoreException($"the store is closed: {closedBecause}", closedBy);
        var acknowledged = sequence;
        try
        {
            OpenDatabase();
        }
        catch (StoreException e)
        {
            (closedBecause, closedBy, closedAt) = (e.Message, e, Environment.TickCount64);
            throw;
        }
        ahead |= sequence > acknowledged;
        return database!;
    }

    /// <returns>Null when the database cannot be opened either, as on a full disk: its log may or may not hold the change.</returns>
    private bool? IsStoredAfter(Exception cause, long expected)
    {
        Close();
        (closedBecause, closedBy) = (Reason(cause), cause);
        closedAt = Environment.TickCount64;
        try
        {
            OpenDatabase();
            return sequence == expected;
        }
        catch (StoreException e)
        {
            (closedBecause, closedBy) = (e.Message, e);
            return null;
        }
    }

    private void Close()
    {
        try
        {
            database?.Dispose();
        }
        catch (Exception e) when (e is LiteException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            // Closing writes, too. What was acknowledged is on the disk already, and the next opening says what is there.
        }
        database = null;
        Close(files);
        files = null;
    }

    private static void Close(DatabaseFiles? files)
    {
        try
        {
            files?.Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An empty log that stays behind is the next one's.
        }
    }

    private void OpenDatabase()
    {
        var known = ReadSequence();
        if (known > 0 && !File.Exists(path))
            throw new StoreException($"{path} is gone, though {known} changes were stored in it: {Restore()}");
        LiteDatabase? db = null;
        DatabaseFiles? opened = null;
        try
        {
            VerifyHeader();
            opening = opened = new DatabaseFiles(path);
            db = new LiteDatabase(new LiteEngine(new EngineSettings
            {
                // For the file it sorts in; the others are these.
                Filename = path,
                DataStream = opened.Data,
                LogStream = opened.Log,
                // Ordinal: names differ by case, and the order of keys must not depend on a culture.
                Collation = Collation.Binary,
            }), new BsonMapper());
            Verify(db, known);
            ThrowIfLogBroke();
            (database, files) = (db, opened);
            (db, opened) = (null, null);
            closedBecause = null;
        }
        catch (Exception e) when (e is UnauthorizedAccessException || e is IOException && e is not (EndOfStreamException or FileNotFoundException))
        {
            throw new StoreException($"{path} cannot be opened: {e.Message}", e);
        }
        catch (Exception e) when (e is not (StoreException or OutOfMemoryException))
        {
            throw new StoreException($"{path} is damaged ({Reason(e)}): {Restore()}", e);
        }
        finally
        {
            opening = null;
            try
            {
                db?.Dispose();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Refused already, with the first reason.
            }
            Close(opened);
        }
    }

    private void Verify(LiteDatabase db, long known)
    {
        var present = migrations[^1].To;
        var version = db.UserVersion;
        if (version > present)
        {
            throw new StoreException($"{path} was written by a newer version (form {version}, this one knows {present}): start that version, or restore a backup made by this one");
        }
        var meta = Meta(db);
        var stored = meta["sequence"].AsInt64;
        if (stored < known)
            throw new StoreException($"{path} holds {stored} of the {known} changes that were stored: {Restore()}");
        // With the log in the data file, the data file alone is all there is.
        Checkpoint(db);
        VerifyPages();
        if (version < present)
            Migrate(db, version, isNew: stored == 0);
        db.GetCollection(Installations).EnsureIndex("h", BsonExpression.Create("$.h"));
        foreach (var kind in JournaledKinds)
            db.GetCollection(CollectionOf(kind), BsonAutoId.Int64).EnsureIndex("n", BsonExpression.Create("$.n"));
        var events = db.GetCollection(Events, BsonAutoId.Int64);
        events.EnsureIndex("h", BsonExpression.Create("$.h"));
        events.EnsureIndex("m", BsonExpression.Create("$.m"));
        firstEventId = events.Query().OrderBy("$._id").Limit(1).ToList().Select(d => d["_id"].AsInt64).FirstOrDefault();
        lastEventId = Math.Max(lastEventId, events.Query().OrderByDescending("$._id").Limit(1).ToList().Select(d => d["_id"].AsInt64).FirstOrDefault());
        sequence = stored;
        Reconcile(db);
    }

    /// <summary>LiteDB takes a file of less than a page for an empty one and begins anew: what is in it would be gone.</summary>
    private void VerifyHeader() => VerifyHeader(path);

    private static void VerifyHeader(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length == 0)
            return;
        using var file = File.OpenHandle(path, share: FileShare.ReadWrite);
        var header = new byte[LastPageIdOffset + sizeof(uint)];
        var magic = "** This is a LiteDB file **"u8;
        var read = RandomAccess.Read(file, header, 0);
        if (read < HeaderPrefix || !header.AsSpan(MagicOffset, magic.Length).SequenceEqual(magic))
            throw new StoreException($"{path} is not a database of the appliance, or is damaged: {RestoreAdvice(Path.GetDirectoryName(path)!)}");
        // What the log holds may not be in the data file yet; without one, the data file is all there is.
        var log = new FileInfo(Path.Combine(Path.GetDirectoryName(path)!, "provisioner-log.db"));
        var pages = RandomAccess.GetLength(file) / PageSize;
        if (read == header.Length && log is not { Exists: true, Length: > 0 } && BitConverter.ToUInt32(header, LastPageIdOffset) is var last && last >= pages)
            throw new StoreException($"{path} is cut short (it has {pages} pages of {last + 1}): {RestoreAdvice(Path.GetDirectoryName(path)!)}");
    }

    /// <summary>Each page carries its number: a file that was cut, or overwritten in part, shows.</summary>
    private void VerifyPages() => VerifyPages(path);

    private static void VerifyPages(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, PageSize * 64);
        var page = new byte[PageSize];
        var pages = file.Length / PageSize;
        for (long number = 0; number < pages; number++)
        {
            file.ReadExactly(page);
            if (BitConverter.ToUInt32(page) != number)
                throw new StoreException($"{path} is damaged (page {number} is not itself): {RestoreAdvice(Path.GetDirectoryName(path)!)}");
            // The header page knows how many pages were ever used (LiteDB's HeaderPage.P_LAST_PAGE_ID).
            if (number == 0 && BitConverter.ToUInt32(page, LastPageIdOffset) is var last && last >= pages)
                throw new StoreException($"{path} is cut short (it has {pages} pages of {last + 1}): {RestoreAdvice(Path.GetDirectoryName(path)!)}");
        }
    }

    private const int MagicOffset = 32, HeaderPrefix = 59, LastPageIdOffset = 64;

    private void Migrate(LiteDatabase db, int version, bool isNew)
    {
        if (!isNew)
        {
            Checkpoint(db);
            File.Copy(path, $"{path}.form-{version}", overwrite: true);
        }
        foreach (var step in migrations.Where(m => m.To > version))
        {
            step.Run(db);
            db.UserVersion = step.To;
        }
        Checkpoint(db);
    }

    private static BsonDocument Meta(LiteDatabase db) =>
        db.GetCollection(MetaName).FindById(1) ?? new BsonDocument { ["revision"] = 0L, ["sequence"] = 0L };

    private List<T> Load<T>(LiteDatabase db, string collection) =>
        db.GetCollection(collection).FindAll().ToList().ConvertAll(document => Parse<T>(collection, document));

    private T Parse<T>(string collection, BsonDocument document)
    {
        try
        {
            return RecordJson.Read<T>(document["v"].AsString);
        }
        catch (Exception e) when (e is JsonException or InvalidCastException or InvalidOperationException or NotSupportedException)
        {
            throw new StoreException($"{path} is damaged ({collection} {document["_id"]} cannot be read: {e.Message}): {Restore()}", e);
        }
    }

    private long ReadSequence()
    {
        try
        {
            return File.Exists(sequencePath) && long.TryParse(File.ReadAllText(sequencePath), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var number) ? number : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"{sequencePath} cannot be read: {e.Message}", e);
        }
    }

    // In place and of one length, so that it needs no room on a full disk and is never half a number.
    private void WriteSequence()
    {
        try
        {
            using var file = File.OpenHandle(sequencePath, FileMode.OpenOrCreate, FileAccess.Write);
            RandomAccess.Write(file, Encoding.ASCII.GetBytes(SequenceText()), 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It only serves to notice a loss later; the change itself is stored.
        }
    }

    private string SequenceText() => sequence.ToString("D19", CultureInfo.InvariantCulture) + "\n";

    private string Restore() => RestoreAdvice(Path.GetDirectoryName(path)!);

    private static string RestoreAdvice(string directory) =>
        $"restore {directory} from a backup ('provisioner restore FILE --data {directory} --replace'; without one, 'provisioner ca rebuild --data {directory}' saves the authority and its certificates); "
        + "to give up what is lost and start with what is there, remove provisioner.sequence, and provisioner.db if it cannot be read";

    /// <summary>On a full disk LiteDB may fail by reading back half of a page, which is all that still fitted: then the disk itself is asked.</summary>
    private Exception CauseOf(Exception e)
    {
        const int NoSpace = 28; // ENOSPC
        try
        {
            return new DriveInfo(Path.GetDirectoryName(Path.GetFullPath(path))!).AvailableFreeSpace < 64 * 1024 ? new IOException(e.Message, e) { HResult = NoSpace } : e;
        }
        catch (Exception unknown) when (unknown is IOException or UnauthorizedAccessException)
        {
            return e;
        }
    }

    private static string Reason(Exception e) => e.GetBaseException().Message.ReplaceLineEndings(" ").TrimEnd('.');
}

/// <summary>How much is kept.</summary>
public sealed record StoreLimits
{
    /// <summary>Events; the oldest go first.</summary>
    public int Events { get; init; } = 200_000;

    /// <summary>Discovered machines; those not seen for the longest time go first.</summary>
    public int Discovered { get; init; } = 10_000;
}
