using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Resources;

namespace Provisioner.Cli;

/// <summary>A column of a table.</summary>
/// <param name="Wide">Only shown with <c>-o wide</c>.</param>
internal sealed record Column(string Header, Func<JsonObject, TimeProvider, string> Cell, bool Wide = false)
{
    public Column(string header, string path, bool wide = false) : this(header, (json, _) => json.At(path), wide)
    {
    }
}

/// <summary>What can be listed: its names, its address in the API, its columns, and what to say when there is none.</summary>
internal sealed record Listing(string Singular, string Plural, string Short, string WhenEmpty, Column[] Columns)
{
    /// <summary>How it is shown to people where a row is too short; null for a table.</summary>
    public Action<Screen, IReadOnlyList<JsonObject>>? Text { get; init; }

    /// <summary>A kind that people write, as opposed to a record the appliance makes.</summary>
    public bool IsResource => ResourceKind.Find(Plural) is not null;

    public static IReadOnlyList<Listing> All { get; } =
    [
        new("host", "hosts", "h", "No host is registered. Apply one, or adopt a machine that asked: provisioner get discovered",
        [
            new("NAME", "metadata.name"), new("STATE", "status.state"), new("ARCH", "spec.architecture"), new("PROFILE", "spec.profile"),
            new("CERTIFICATE", (json, _) => Day(json.At("status.certificate.notAfter")), true),
            new("MAC", (json, _) => Mac(json)), new("ADDRESS", "spec.address", true), new("RACK", "spec.location.rack", true),
            new("SERIAL", "spec.serial", true), new("ANSWERED", (json, time) => Words.Age(json.At("status.lastAnswered"), time), true),
        ]),
        new("profile", "profiles", "p", "There is no profile yet. One names an image: provisioner apply -f profile.yaml",
        [
            new("NAME", "metadata.name"), new("IMAGE", "spec.image"), new("CHAIN", "spec.bootChain"),
            new("CHANGED", (json, time) => Words.Age(json.At("metadata.updatedAt"), time)), new("ARGUMENTS", "spec.boot.kernelArguments", true),
        ]),
        new("image", "images", "img", "There is no image yet. Import one: provisioner image import PATH --name NAME, or download one: provisioner image list --catalogue",
        [
            new("NAME", "metadata.name"), new("ARCH", "spec.architecture"), new("FILES", (json, _) => Files(json)), new("SIZE", (json, _) => Size(json)),
            new("KERNEL", "spec.kernel"), new("INITRD", "spec.initrd", true), new("SHIM", "spec.bootLoaders.shim", true),
            new("GRUB", "spec.bootLoaders.grub", true), new("IMPORTED", (json, time) => Words.Age(json.At("status.importedAt"), time), true),
        ]),
        new("network", "networks", "net", "There is no network yet, so DHCP is off. Apply one with spec.dhcp: proxy or reserve",
        [
            new("NAME", "metadata.name"), new("SUBNET", "spec.subnet"), new("DHCP", "spec.dhcp"),
            new("INTERFACE", (json, _) => json.At("spec.interface") is { Length: > 0 } name ? name : "(relay)"), new("RANGE", "spec.range"),
            new("GATEWAY", "spec.gateway", true), new("ADVERTISE", "spec.advertise", true),
        ]),
        new("cluster", "clusters", "c", "There is no cluster yet. One names its region: provisioner apply -f cluster.yaml",
        [
            new("NAME", "metadata.name"), new("REGION", "spec.region"), new("VERSION", "spec.kubernetesVersion"), new("CREDENTIALS", "spec.credentialProvider"),
            new("CNI", "spec.cni"), new("FOLLOWED", (json, _) => json.At("status.connected") == "true" ? "yes" : json.At("status.followed") == "true" ? "unreachable" : "no"), new("REASON", "status.reason", true), new("ACCESS", "spec.endpointAccess", true), new("NODES", "spec.remoteNodeNetworks", true), new("ENDPOINT", "spec.endpoint", true),
        ]),
        new("node", "nodes", "no", "No cluster shows a node yet: provisioner get clusters says whether it is followed",
        [
            new("NODE", "name"), new("HOST", (json, _) => json.At("host") is { Length: > 0 } host ? host : "(unknown here)"), new("CLUSTER", "cluster"),
            new("STATE", (json, _) => json.At("lastKnownAt").Length > 0 ? $"{json.At("state")} (last known)" : json.At("state")),
            new("SINCE", (json, time) => Words.Age(json.At("since"), time)), new("VERSION", "version"), new("ADDRESS", "address"),
            new("CREDENTIALS", "credentialProvider", true), new("SERVING", (json, _) => json["pendingServingRequests"] is null ? "" : "pending", true), new("PROVIDER ID", "providerId", true),
            new("WHY", (json, _) => string.Join("; ", new[] { json.At("reason"), json.At("problem") }.Where(t => t.Length > 0)), true),
        ]),
        new("upgrade", "upgrades", "up", "Nothing was upgraded yet: provisioner upgrade PROFILE --to VERSION",
        [
            new("UPGRADE", "id"), new("STATE", "state"), new("TO", "version"), new("CLUSTER", "cluster"), new("DONE", (json, _) => $"{json.At("done")}/{json.At("of")}"),
            new("BEGUN", (json, time) => Words.Age(json.At("startedAt"), time)), new("HOW", "method", true), new("BECAUSE", "reason", true), new("BY", "actor", true),
        ]),
        new("discovered", "discovered", "d", "No unknown machine has asked yet.",
        [
            new("MAC", "macAddress"), new("MACHINE", (json, _) => Machine(json)), new("ARCH", "architecture"), new("ADDRESS", "address"),
            new("SEEN", (json, time) => Words.Age(json.At("lastSeen"), time)), new("TIMES", "times", true), new("SERIAL", "serial", true), new("UUID", "uuid", true),
            new("IGNORED", (json, time) => Words.Age(json.At("ignoredAt"), time), true),
        ]),
        new("installation", "installations", "inst", "Nothing was installed yet: provisioner provision HOST",
        [
            new("HOST", "host"), new("IMAGE", "image"), new("PROFILE", "profile"), new("OPEN", (json, _) => json.At("open") == "true" ? "yes" : "no"),
            new("OPENED", (json, time) => Words.Age(json.At("openedAt"), time)), new("CLOSES", "closesAt", true), new("BECAUSE", "closedBecause", true), new("BY", "actor", true),
        ]),
        new("certificate", "certificates", "cert", "No host has a certificate yet: it enrols at the end of its installation, or with 'provisioner token HOST'",
        [
            new("HOST", "host"), new("STATE", "state"), new("ENDS", (json, _) => Day(json.At("notAfter"))), new("LEFT", (json, time) => json.At("state") is "good" or "replaced" ? Words.Age(json.At("notAfter"), time) : ""),
            new("RENEWS", (json, _) => Day(json.At("renewAfter"))), new("SERIAL", (json, _) => json.At("serial")), new("ISSUED", "issuedAt", true), new("AUTHORITY", "authority", true),
            new("REVOKED", "revokedAt", true), new("BECAUSE", "revokedBecause", true),
        ]),
        new("authority", "authorities", "ca", "There is no authority yet: provisioner status says why",
        [
            new("ID", "id"), new("STATE", "state"), new("KEY", "algorithm"), new("ENDS", (json, _) => Day(json.At("notAfter"))), new("HOSTS", "hosts"),
            new("REVOKED", "crl.entries"), new("SUBJECT", "subject", true), new("RETIRED", "retiredAt", true),
        ]),
        new("alert", "alerts", "al", "Nothing needs attention.",
        [
            new("ALERT", "id"), new("SEVERITY", "severity"), new("SINCE", (json, time) => Words.Age(json.At("firstAt"), time)), new("WHAT", "message"),
            new("TIMES", "times", true), new("WHAT TO DO", "remedy", true),
        ]),
        new("finding", "findings", "fi", "Nothing was found that needs attention.",
        [
            new("HOST", "host"), new("CODE", "code"), new("RESULT", "verdict"), new("FOUND", "found"), new("BREAKS", "breaks"), new("WHAT TO DO", "ask"),
            new("BY", "by"), new("SEEN", (json, time) => Words.Age(json.At("at"), time)),
        ])
        {
            Text = FindingsText.Write,
        },
        new("lease", "leases", "l", "No address is leased.",
        [
            new("ADDRESS", "address"), new("MAC", "macAddress"), new("NETWORK", "network"), new("NAME", "hostName"), new("ENDS", "endsAt"),
        ]),
        new("event", "events", "ev", "Nothing has happened yet.",
        [
            new("TIME", "at"), new("SOURCE", "source"), new("OUTCOME", "outcome", true), new("HOST", (json, _) => json.At("host") is { Length: > 0 } host ? host : json.At("macAddress")),
            new("WHAT", "what"), new("REASON", "reason", true),
        ]),
    ];

    public static Listing? Find(string text) => All.FirstOrDefault(listing =>
        text.Equals(listing.Singular, StringComparison.OrdinalIgnoreCase) || text.Equals(listing.Plural, StringComparison.OrdinalIgnoreCase)
        || text.Equals(listing.Short, StringComparison.OrdinalIgnoreCase));

    public void Write(Screen screen, IReadOnlyList<JsonObject> items, string format)
    {
        switch (format)
        {
            case "json":
                screen.WriteData(Json.List(items.Select(item => item.DeepClone().AsObject())), format);
                return;
            case "yaml":
                screen.Output.Write(string.Join("---\n", items.Select(YamlWriter.Write)));
                return;
        }
        if (items.Count == 0)
        {
            screen.Error.WriteLine(WhenEmpty);
            return;
        }
        if (format == "table" && Text is not null)
        {
            Text(screen, items);
            return;
        }
        var columns = Columns.Where(column => format == "wide" || !column.Wide).ToList();
        screen.WriteTable([.. columns.Select(c => c.Header)],
            items.Select(item => (IReadOnlyList<string>)[.. columns.Select(column => column.Cell(item, screen.Time) is { Length: > 0 } cell ? cell : "-")]));
    }

    private static string Day(string time) => time.Length >= 10 ? time[..10] : "";

    private static string Mac(JsonObject host)
    {
        var all = host["spec"]?["macAddresses"] as JsonArray;
        var boot = host.At("spec.bootMacAddress") is { Length: > 0 } chosen ? chosen : all?.FirstOrDefault()?.ToString() ?? "";
        return all is { Count: > 1 } ? $"{boot} +{all.Count - 1}" : boot;
    }

    private static string Machine(JsonObject discovered)
    {
        var said = string.Join(' ', new[] { discovered.At("manufacturer"), discovered.At("product") }.Where(t => t.Length > 0));
        return said.Length > 0 ? said : discovered.At("vendor");
    }

    private static string Files(JsonObject image) => image["status"]?["files"] is JsonArray files ? $"{files.Count}" : "none";

    private static string Size(JsonObject image) => image["status"]?["files"] is JsonArray files ? Words.Size(files.Sum(f => f!["size"]!.GetValue<long>())) : "";
}
