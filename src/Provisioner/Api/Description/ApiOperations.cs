using Provisioner.Backup;
using Provisioner.Resources;

namespace Provisioner.Api.Description;

/// <summary>What an endpoint is for, takes and gives.</summary>
/// <param name="Path">Below <c>/api/v1</c>.</param>
/// <param name="Answer">The schema of its answer, <c>[]</c> before it for a list of them, or a media type; null for none.</param>
internal sealed record ApiOperation(string Method, string Path, string Summary, string? Answer)
{
    public int Status { get; init; } = 200;

    /// <summary>The keys of its body; null when it takes none, or another kind of body.</summary>
    public IReadOnlyList<FieldDescription>? Body { get; init; }

    /// <summary>The media type of a body that is no mapping of keys.</summary>
    public string? BodyType { get; init; }

    /// <summary>Parameters of the query that the method does not declare, written as keys of a schema are.</summary>
    public string Query { get; init; } = "";

    /// <summary>The list can be selected from and read in pages.</summary>
    public bool Selects { get; init; }

    /// <summary>It answers with server-sent events, always or when asked for them.</summary>
    public bool Streams { get; init; }

    /// <summary>A change of a resource with a version.</summary>
    public bool Versioned { get; init; }
}

/// <summary>Every operation of the API. What is not here is found by a test.</summary>
internal static class ApiOperations
{
    private const string Text = "text/plain", Pem = "application/x-pem-file", Yaml = "application/yaml";

    public static IReadOnlyList<ApiOperation> All { get; } =
    [
        new("POST", "/setup", "Make the first admin, with the secret of the set-up link", "Visitor") { Status = 201, Body = SessionEndpoints.SetupFields },
        new("GET", "/session", "Say who asks", "Visitor"),
        new("POST", "/session", "Sign in with a password; sets the session's cookie", "Visitor") { Body = SessionEndpoints.SignInFields },
        new("DELETE", "/session", "Sign out", null) { Status = 204 },
        new("POST", "/session/password", "Change one's own password; other sessions end", null) { Status = 204, Body = SessionEndpoints.PasswordFields },
        new("GET", "/users", "List users", "[]User"),
        new("GET", "/users/{name}", "Read a user", "User"),
        new("POST", "/users", "Add a user", "User") { Status = 201, Body = PeopleEndpoints.UserFields },
        new("POST", "/users/{name}/role", "Change what a user may do", "User") { Body = PeopleEndpoints.RoleFields },
        new("POST", "/users/{name}/password", "Set a user's password; the user's sessions end", "User") { Body = PeopleEndpoints.PasswordFields },
        new("DELETE", "/users/{name}", "Remove a user", null) { Status = 204 },
        new("GET", "/sessions", "List who is signed in", "[]Session"),
        new("DELETE", "/sessions/{id}", "End a session", null) { Status = 204 },
        new("GET", "/tokens", "List the tokens of programs", "[]Token"),
        new("GET", "/tokens/{name}", "Read a token's record", "Token"),
        new("POST", "/tokens", "Make a token; it is in this answer and nowhere else", "Token") { Status = 201, Body = PeopleEndpoints.TokenFields },
        new("DELETE", "/tokens/{name}", "Revoke a token", null) { Status = 204 },
        new("GET", "/audit", "List who changed what, newest first", "[]AuditEntry"),
        new("GET", "/audit/export", "The whole trail, a line of JSON for each entry", AuditEndpoints.JsonLines),
        new("GET", "/audit/verify", "Check that the trail is as it was written", "AuditVerification"),

        new("GET", "/netbox/devices", "List NetBox's devices as Hosts that could be registered, each with what is wrong with it; writes nothing", "[]NetBoxDevice"),

        new("POST", "/apply", "Create or change resources: all of the body's documents, or none", "Applied") { BodyType = Yaml },
        .. ResourceKind.All.SelectMany(Resource),

        new("POST", "/hosts/{name}/provision", "Open an Installation: at its next network boot the host is built", "Installation") { Body = HostEndpoints.ProvisionFields },
        new("POST", "/hosts/{name}/cancel", "Close the host's open Installation", "Installation"),
        new("POST", "/hosts/{name}/retire", "Take a host out of service", "Revoked") { Body = CertificateEndpoints.RetireFields, Streams = true },
        new("POST", "/hosts/{name}/token", "Give out a one-time token, by which a host enrols by hand", "EnrolmentToken") { Body = CertificateEndpoints.TokenFields },
        new("POST", "/hosts/{name}/disk-passphrase", "The passphrase of a disk that was installed with encryption", "DiskPassphrase"),
        new("POST", "/hosts/{name}/aws/test", "Try to get AWS credentials as that host", "AwsTrial"),
        new("GET", "/hosts/{name}/log", "The last lines the host's firmware, installer and join program said", Text) { Streams = true },
        new("GET", "/hosts/{name}/events", "What happened to a host", "[]Event") { Streams = true },
        new("GET", "/hosts/{name}/render/{what}", "A file of the host as it would be served now, secrets replaced", Text),
        new("POST", "/discovered/{mac}/adopt", "Register a machine that asked and was not known", "Host") { Status = 201, Body = HostEndpoints.AdoptFields },
        new("POST", "/discovered/{mac}/ignore", "Say that a machine that asked is not to be adopted, or is after all", "Discovered") { Body = HostEndpoints.IgnoreFields },
        new("GET", "/discovered", "List machines that asked and are not registered", "[]Discovered") { Selects = true },
        new("GET", "/discovered/{mac}", "Read one of them", "Discovered"),
        new("GET", "/discovered/{mac}/events", "What happened to one of them", "[]Event") { Streams = true },
        new("GET", "/installations", "List the latest Installation of each host", "[]Installation") { Selects = true },
        new("GET", "/installations/{host}", "List all Installations of a host, newest first", "[]Installation"),
        new("GET", "/findings", "List what needs somebody before a host can join", "[]Finding") { Selects = true },
        new("GET", "/findings/{host}", "List what was found on a host before it joined", "[]Finding"),
        new("GET", "/leases", "List addresses given out by DHCP", "[]Lease") { Selects = true },
        new("GET", "/leases/{address}", "Read a lease", "Lease"),
        new("GET", "/nodes", "List the nodes of the clusters that are followed", "[]Node") { Selects = true },
        new("GET", "/nodes/{name}", "Read a node, or all of that name", "Node"),
        new("GET", "/idle", "List nodes that are charged for and do nothing", "Idle") { Query = "for price" },
        new("GET", "/states", "Where each host stands", "[]State") { Selects = true, Streams = true },
        new("GET", "/events", "What happened", "[]Event") { Streams = true },
        new("GET", "/explain/{mac}", "What a machine would be answered, and why", "Explanation"),
        new("GET", "/status", "What runs, what does not, and why", "Status"),
        new("GET", "/alerts", "List what needs attention", "[]Alert") { Selects = true },
        new("GET", "/alerts/{id}", "Read an alert", "Alert"),
        new("POST", "/alerts/{id}/dismiss", "Dismiss an alert until it happens again", "Alert"),

        new("GET", "/authorities", "List authorities", "[]Authority"),
        new("GET", "/authorities/{id}", "Read an authority", "Authority"),
        new("GET", "/ca", "The authority that signs hosts, and where its rotation stands", "Ca"),
        new("POST", "/ca/rotate", "Take a step of the authority's rotation", "Ca") { Body = CertificateEndpoints.RotateFields },
        new("POST", "/ca/request", "A certificate request for the authority's key, for another CA to sign", Pem),
        new("POST", "/ca/import", "Take what another CA signed", "Authority") { BodyType = Pem },
        new("POST", "/ca/crl", "The revocation list, made anew when asked for", Pem),
        new("GET", "/certificates", "List hosts' certificates", "[]Certificate") { Selects = true },
        new("GET", "/certificates/{which}", "Read a certificate by its serial, or list those of a host", "Certificate"),
        new("POST", "/certificates/{which}/revoke", "Revoke a certificate, or all of a host", "Revoked") { Body = CertificateEndpoints.RevokeFields },

        new("POST", "/images/{name}/import", "Import an image: a tar stream or an ISO image", "Image") { Status = 201, BodyType = "application/octet-stream", Query = "architecture kernel initrd distribution version size:integer sha256 url bootOnly:boolean installSource" },
        new("POST", "/images/verify", "Check the files of all images", "[]ImageVerification"),
        new("POST", "/images/{name}/verify", "Check the files of an image", "[]ImageVerification"),
        new("GET", "/artifacts", "What is in the cache", "Artifacts"),
        new("POST", "/artifacts/warm", "Fetch artifacts into the cache", null) { Body = ArtifactEndpoints.WarmFields, Streams = true },
        new("POST", "/artifacts/verify", "Check the cache's files", "ArtifactVerification"),
        new("POST", "/artifacts/evict", "Remove artifacts from the cache", "Evicted") { Body = ArtifactEndpoints.EvictFields },
        new("GET", "/clusters/{name}/aws/plan", "What a cluster needs in AWS", Text),
        new("GET", "/clusters/{name}/aws/check", "Check what a cluster needs in AWS", "[]AwsFinding"),
        new("POST", "/clusters/{name}/aws/apply", "Make what a cluster needs in AWS", null) { Streams = true },
        new("GET", "/upgrades", "List upgrades", "[]Upgrade"),
        new("GET", "/upgrades/{id}", "Read an upgrade", "Upgrade"),
        new("POST", "/upgrades", "Begin an upgrade of Kubernetes", "Upgrade") { Status = 201, Body = UpgradeEndpoints.RequestFields },
        new("POST", "/upgrades/{id}/pause", "Pause an upgrade", "Upgrade"),
        new("POST", "/upgrades/{id}/resume", "Go on with an upgrade", "Upgrade"),
        new("POST", "/upgrades/{id}/cancel", "Cancel an upgrade", "Upgrade"),

        new("POST", "/machine/reboot", "Reboot the appliance's machine", "Machine") { Status = 202, Body = MachineEndpoints.ShutDownFields },
        new("POST", "/machine/power-off", "Turn the appliance's machine off", "Machine") { Status = 202, Body = MachineEndpoints.ShutDownFields },
        new("POST", "/backup", "Make a backup; the answer is its file, and the header Backup-Id names its verdict", "application/octet-stream") { Body = BackupEndpoints.Fields },
        new("GET", "/backup/{id}", "Say whether the backup that was sent is good", "Backup"),
        new("GET", "/backups", "List the backups of the schedule", "[]StoredBackup"),
        new("POST", "/backups", "Make a backup of the schedule now", "Backup"),
        new("GET", "/doctor", "Examine the appliance", "[]ApplianceFinding"),
        new("GET", "/webhooks", "List webhooks and what was delivered to each", "[]Webhook"),
        new("POST", "/webhooks/{name}/try", "Send a trial to a webhook", "WebhookDelivery"),
        new("GET", "/support", "A bundle for whoever helps, secrets left out", "application/gzip"),
    ];

    public static ApiOperation? Find(string method, string path) => All.FirstOrDefault(o => o.Method == method && o.Path == path);

    private static IEnumerable<ApiOperation> Resource(ResourceKind kind) =>
    [
        new("GET", $"/{kind.Plural}", $"List {kind.Plural}", $"[]{kind.Name}") { Selects = true },
        new("GET", $"/{kind.Plural}/{{name}}", $"Read a {kind.Name}", kind.Name),
        new("PUT", $"/{kind.Plural}/{{name}}", $"Create or change a {kind.Name}", kind.Name) { Body = kind.Fields, Versioned = true },
        new("DELETE", $"/{kind.Plural}/{{name}}", $"Delete a {kind.Name} that nothing refers to", "Deleted") { Versioned = true },
    ];
}
