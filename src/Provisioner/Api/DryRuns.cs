using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Provisioner.Boot;
using Provisioner.Boot.Http;
using Provisioner.Clusters;
using Provisioner.Joining;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Seeds;
using Provisioner.Storage;

namespace Provisioner.Api;

/// <summary>Dry runs: what would be answered, and why. Nothing is recorded.</summary>
internal sealed class DryRuns(
    CurrentState state, BootDecider decider, BootScripts scripts, SeedFiles files, BootHttpService http, JoinAnswers join, IStore store, TimeProvider time)
{
    private static readonly (string Name, Architecture Architecture, ClientKind Client)[] Clients =
    [
        ("uefi-x64", Architecture.X64, ClientKind.Pxe),
        ("uefi-arm64", Architecture.Arm64, ClientKind.Pxe),
        ("bios", Architecture.Bios, ClientKind.Pxe),
        ("http-x64", Architecture.X64, ClientKind.HttpClient),
        ("http-arm64", Architecture.Arm64, ClientKind.HttpClient),
        ("ipxe", Architecture.Unknown, ClientKind.Ipxe),
    ];

    /// <summary>What a machine would be answered at each step of its boot.</summary>
    /// <param name="client">What asks, such as <c>uefi-x64</c>; null: what the machine said of itself.</param>
    /// <exception cref="ChangeRefusedException">No such client or Network.</exception>
    public JsonObject Explain(MacAddress address, string? client, string? network)
    {
        var (snapshot, now) = (state.Snapshot, time.GetUtcNow());
        var asked = ClientOf(client, address, snapshot);
        var place = PlaceOf(address, network, snapshot);
        var request = new BootRequest
        {
            Step = BootStep.BootFile,
            MacAddress = address,
            Architecture = asked.Architecture,
            Client = asked.Client,
            Endpoint = place.Endpoint,
            DhcpMode = place.Network?.Spec.Dhcp ?? DhcpMode.Off,
        };
        var intent = BootDecider.Intend(address, snapshot, now);
        return Json.WithoutNulls(new JsonObject
        {
            ["macAddress"] = address.ToString(),
            ["host"] = snapshot.FindHost(address)?.Name,
            ["client"] = asked.Name,
            ["network"] = place.Network?.Name,
            ["dhcp"] = Json.Word(request.DhcpMode),
            ["appliance"] = place.Endpoint.HttpRoot,
            ["intent"] = intent.GetType().Name,
            ["reason"] = intent.Reason,
            ["steps"] = new JsonArray([.. Steps(request).Select(step => Describe(step, decider.Decide(step, snapshot, now)))]),
        });
    }

    // A firmware asks for its boot file first; what that loads asks for its script.
    private static IEnumerable<BootRequest> Steps(BootRequest request)
    {
        yield return request;
        yield return request with { Step = BootStep.IpxeScript, Client = ClientKind.Ipxe };
        yield return request with { Step = BootStep.GrubScript };
    }

    private static JsonObject Describe(BootRequest step, BootDecision decision) => Json.WithoutNulls(new JsonObject
    {
        ["step"] = Json.Word(step.Step),
        ["answer"] = decision switch
        {
            BootDecision.BootFile file => file.File,
            BootDecision.Script script => script.Intent switch
            {
                BootIntent.Install { Installation.Diskless: true } install => $"boot {install.Image.Name} in memory",
                BootIntent.Install install => $"install {install.Image.Name}",
                BootIntent.LocalDisk local => $"boot the local disk ({BootDecider.Name(local.Method)})",
                BootIntent.AwaitAdoption => "show that it waits to be adopted, boot the local disk",
                _ => "show why it cannot be installed",
            },
            _ => null,
        },
        ["reason"] = decision.Reason,
    });

    /// <summary>A file of the host as it would be served now, secrets replaced.</summary>
    /// <param name="last">As it was served last instead.</param>
    /// <exception cref="ChangeRefusedException">No such host or file, or it cannot be made; says why.</exception>
    public async Task<string> RenderAsync(string name, string what, bool last, CancellationToken cancellation)
    {
        var host = (Host)ResourceEndpoints.Find(ResourceKind.Host, name, state.Snapshot);
        var mac = host.Spec.BootMacAddress ?? host.Spec.MacAddresses[0];
        var intent = BootDecider.Intend(mac, state.Snapshot, time.GetUtcNow());
        var endpoint = PlaceOf(mac, null, state.Snapshot).Endpoint;
        var file = what == "kickstart" ? "ks.cfg" : what;
        if (last && SeedFiles.Names.Contains(file))
        {
            return files.LastServed(host.Name, file) ?? throw new ChangeRefusedException(RefusalKind.NotFound, $"No {file} of {host.Name} was served yet.");
        }
        return what switch
        {
            "ipxe" => scripts.Ipxe(intent, mac, endpoint.HttpRoot, endpoint, redacted: true),
            "grub" => scripts.Grub(intent, mac, endpoint, redacted: true),
            "nodeconfig" => NodeConfigOf(PlanOf(host)),
            "join" => await join.WriteAsync(PlanOf(host), endpoint,
                state.Snapshot.DesiredVersions.GetValueOrDefault(host.Name)?.Version, cancellation),
            _ when SeedFiles.Names.Contains(file) => files.Preview(host, file, endpoint, time.GetUtcNow()),
            _ => throw new ChangeRefusedException(RefusalKind.NotFound, [new Mistake($"There is nothing called '{Reading.Shorten(what)}' to render") { Path = "what", Value = Reading.Shorten(what), Expected = "ipxe, grub, kickstart, user-data, meta-data, vendor-data, nodeconfig or join" }]),
        };
    }

    private static string NodeConfigOf(JoinPlan plan)
    {
        try
        {
            var note = plan.NodeIp is null ? "# --node-ip will be the address the host asks from: no document and no lease tells it yet.\n" : "";
            return note + (plan.Provider == CredentialProvider.Ssm ? "# The activation is made when the host asks.\n" : "") + plan.ToPreview().ToYaml();
        }
        catch (JoinRefusedException e)
        {
            throw new ChangeRefusedException(RefusalKind.Conflict, e.Message);
        }
    }

    // The host would ask from the address it has now.
    private JoinPlan PlanOf(Host host)
    {
        var now = time.GetUtcNow();
        var leased = store.LoadLeases().Where(lease => !lease.Declined && lease.EndsAt > now && host.Spec.MacAddresses.Contains(lease.MacAddress))
            .OrderByDescending(lease => lease.EndsAt).Select(lease => (Ipv4Address?)lease.Address).FirstOrDefault();
        return JoinPlan.Of(host, state.Snapshot, leased);
    }

    private static (string Name, Architecture Architecture, ClientKind Client) ClientOf(string? client, MacAddress mac, Snapshot snapshot)
    {
        if (client is null)
        {
            var said = snapshot.Discovered.GetValueOrDefault(mac)?.Architecture;
            client = snapshot.FindHost(mac)?.Spec.Architecture switch
            {
                CpuArchitecture.Arm64 => "uefi-arm64",
                not null => "uefi-x64",
                null => said == BootDecider.Name(Architecture.Arm64) ? "uefi-arm64" : said == BootDecider.Name(Architecture.Bios) ? "bios" : "uefi-x64",
            };
        }
        foreach (var known in Clients)
        {
            if (known.Name == client)
                return known;
        }
        throw new ChangeRefusedException(RefusalKind.Invalid, [new Mistake($"'{Reading.Shorten(client)}' is no client")
        {
            Path = "client", Value = Reading.Shorten(client), Expected = "one of " + string.Join(", ", Clients.Select(c => c.Name)),
        }]);
    }

    // Where the machine would ask from: the Network named, the one its address lies in, or the only one there is.
    private (Network? Network, BootEndpoint Endpoint) PlaceOf(MacAddress mac, string? named, Snapshot snapshot)
    {
        Network? network = null;
        if (named is not null)
            network = (Network)ResourceEndpoints.Find(ResourceKind.Network, named, snapshot);
        else if (snapshot.FindHost(mac)?.Spec.Address is { } address)
            network = snapshot.Networks.Values.FirstOrDefault(n => n.Spec.Subnet.Contains(address));
        network ??= snapshot.Discovered.GetValueOrDefault(mac)?.Network is { } seenOn ? snapshot.Networks.GetValueOrDefault(seenOn) : null;
        network ??= snapshot.Networks.Count == 1 ? snapshot.Networks.Values.First() : null;
        var own = network?.Spec.Advertise ?? AddressIn(network) ?? new Ipv4Address(0x7F00_0001);
        return (network, new BootEndpoint(own, http.Port));
    }

    private static Ipv4Address? AddressIn(Network? network)
    {
        if (network is null)
            return null;
        foreach (var adapter in NetworkInterface.GetAllNetworkInterfaces())
        {
            foreach (var unicast in adapter.GetIPProperties().UnicastAddresses)
            {
                if (unicast.Address.AddressFamily == AddressFamily.InterNetwork && network.Spec.Subnet.Contains(Ipv4Address.From(unicast.Address)))
                    return Ipv4Address.From(unicast.Address);
            }
        }
        return null;
    }
}
