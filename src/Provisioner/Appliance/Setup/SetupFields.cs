using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Appliance.Machine;
using Provisioner.Auth;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Appliance.Setup;

/// <summary>The keys of a file of answers, and what is right for each: the questions on the console are checked by the same.</summary>
internal static class SetupFields
{
    public static readonly ScalarKind<InterfaceAddress?> Address = new("an address on an interface", "dhcp, or an address with its subnet's prefix such as 10.77.0.2/24, from /8 to /30",
        (string text, out InterfaceAddress? value, out string? wrong) =>
        {
            (value, wrong) = (null, null);
            if (text.Equals("dhcp", StringComparison.OrdinalIgnoreCase))
                return true;
            var slash = text.IndexOf('/');
            if (slash < 0 || !Ipv4Address.TryParse(text.AsSpan(0, slash), out var address)
                || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length))
                return false;
            if (length is < 8 or > 30)
            {
                wrong = $"has a prefix of {length} bits";
                return false;
            }
            value = new InterfaceAddress(address, length);
            wrong = value.Subnet.IsHostAddress(address) && !address.IsAny && address.Bits >> 28 < 0xE ? null : $"is not one host's address in {value.Subnet}";
            return wrong is null;
        },
        value => value?.ToString() ?? "dhcp");

    public static readonly ScalarKind<DhcpMode> Dhcp = Values.OneOf("a DHCP mode", ("off", DhcpMode.Off), ("proxy", DhcpMode.Proxy), ("reserve", DhcpMode.Reserve));

    /// <summary>Path of a file; one that does not begin with a slash is below the volume with the answers.</summary>
    public static readonly ScalarKind<string> FilePath = Values.OfText("a path", "the path of a file; one without a leading slash is on the volume with the answers",
        text => text.Length is 0 or > 4096 ? $"has {text.Length} characters" : text.Split('/').Contains("..") ? "leaves the volume by '..'" : null);

    public static readonly SecretKind Passphrase = new("a passphrase", "1 to 1024 characters", text => text.Length is 0 or > 1024 ? $"has {text.Length} characters" : null);

    public static readonly Shape<SetupAnswers> Answers = Declare();

    /// <summary>Reads a file of answers; every mistake at once. An empty one is all defaults.</summary>
    /// <exception cref="ChangeRefusedException">All mistakes, each with its line.</exception>
    public static SetupAnswers Read(string text)
    {
        var reading = new Reading();
        var answers = new SetupAnswers();
        var documents = 0;
        YamlText.Read(text, reading, node =>
        {
            if (++documents == 2)
                reading.Add(node.Position, "", "a second document", null, "one document in a file of answers; what is to be applied goes into 'resources'");
            else if (node is not TextNode.Scalar { IsNull: true } && Answers.TryRead(node, "", reading, out var read))
                answers = read;
        });
        return reading.Mistakes.Count == 0 ? answers
            : throw new ChangeRefusedException(RefusalKind.Invalid, [.. reading.Mistakes.Select(m => m with { Document = null })]);
    }

    private static Shape<SetupAnswers> Declare()
    {
        var shape = new Shape<SetupAnswers>("the answers", () => new SetupAnswers());
        shape.Default("hostName", Values.Name, a => a.HostName, (a, v) => a with { HostName = v }, "This machine's name.");
        shape.Default("timeZone", MachineFields.TimeZone, a => a.TimeZone, (a, v) => a with { TimeZone = v }, "Its time zone.");
        shape.Optional("timeServers", new ListKind<string>(Values.HostAddress), a => a.TimeServers, (a, v) => a with { TimeServers = v }, "NTP servers; without them, those the network tells.");
        shape.Default("provisioning", Provisioning(), a => a.Provisioning, (a, v) => a with { Provisioning = v }, "The interface that servers boot on.");
        shape.Optional("administrator", Administrator(), a => a.Administrator, (a, v) => a with { Administrator = v }, "The first admin; without one, the console shows the link that makes one.");
        shape.Optional("restore", Restore(), a => a.Restore, (a, v) => a with { Restore = v }, "A backup to go on from, in place of a new site.");
        shape.Optional("resources", new LinesKind("documents"), a => a.Resources, (a, v) => a with { Resources = v }, "Documents to apply, as a block of text.");
        shape.Optional("configuration", new LinesKind("configuration"), a => a.Configuration, (a, v) => a with { Configuration = v }, "More of provisioner.yaml, as a block of text.");
        shape.Check((answers, report) =>
        {
            if (answers is { Restore: not null, Administrator: not null })
                report("administrator", "a backup has its own people", answers.Administrator.Name, "restore or administrator, not both");
        });
        return shape;
    }

    private static Shape<ProvisioningAnswers> Provisioning()
    {
        var shape = new Shape<ProvisioningAnswers>("provisioning", () => new ProvisioningAnswers());
        shape.Optional("interface", Values.InterfaceName, p => p.Interface, (p, v) => p with { Interface = v }, "Its name; not needed where there is one wired interface.");
        shape.Optional("macAddress", Values.MacAddress, p => p.MacAddress, (p, v) => p with { MacAddress = v }, "Its MAC address, in place of its name.");
        shape.Default("address", Address, p => p.Address, (p, v) => p with { Address = v }, "The appliance's address on it, or dhcp.");
        shape.Optional("gateway", Values.Ipv4Address, p => p.Gateway, (p, v) => p with { Gateway = v }, "The router.");
        shape.Optional("nameServers", new ListKind<Ipv4Address>(Values.Ipv4Address, maximum: 8), p => p.NameServers, (p, v) => p with { NameServers = v }, "For this machine, and for the servers it gives addresses.");
        shape.Default("dhcp", Dhcp, p => p.Dhcp, (p, v) => p with { Dhcp = v }, "off: not a word. proxy: another server gives the addresses. reserve: addresses for registered hosts.");
        shape.Optional("range", Values.Range, p => p.Range, (p, v) => p with { Range = v }, "The addresses it gives.");
        shape.Check(Check);
        return shape;
    }

    private static void Check(ProvisioningAnswers provisioning, Shape<ProvisioningAnswers>.Report report)
    {
        if (provisioning is { Interface: not null, MacAddress: not null })
            report("macAddress", "names the interface a second time", provisioning.MacAddress.ToString(), "interface or macAddress, not both");
        if (provisioning.Range is not null && provisioning.Dhcp != DhcpMode.Reserve)
            report("range", "addresses are given with dhcp: reserve alone", provisioning.Range.ToString(), "no range, or dhcp: reserve");
        if (provisioning.Address is not { } own)
        {
            if (provisioning.Dhcp == DhcpMode.Reserve)
                report("dhcp", "the appliance would give addresses where it gets its own from another DHCP server", "reserve", "proxy, off, or an address of its own");
            if (provisioning.Gateway is { } router)
                report("gateway", "DHCP names the router as well", router.ToString(), "no gateway, or an address of its own");
            return;
        }
        if (provisioning.Gateway is { } gateway && (!own.Subnet.IsHostAddress(gateway) || gateway == own.Address))
            report("gateway", $"{gateway} is not another host's address in {own.Subnet}", gateway.ToString(), $"an address inside {own.Subnet}");
        if (provisioning.Range is not { } range)
            return;
        foreach (var end in new[] { range.From, range.To })
        {
            if (!own.Subnet.IsHostAddress(end))
                report("range", $"{end} is not a host's address in {own.Subnet}", range.ToString(), $"a range inside {own.Subnet}");
        }
        foreach (var taken in new Ipv4Address?[] { own.Address, provisioning.Gateway })
        {
            if (taken is { } address && range.Contains(address))
                report("range", $"{address} lies in the range and would be leased", range.ToString(), $"a range without {address}");
        }
    }

    private static Shape<AdministratorAnswer> Administrator()
    {
        var shape = new Shape<AdministratorAnswer>("administrator", () => new AdministratorAnswer("", ""));
        shape.Required("name", Passwords.UserName, a => a.Name, (a, v) => a with { Name = v }, "To sign in with.");
        shape.Required("password", Passwords.New, a => a.Password, (a, v) => a with { Password = v }, "As well.");
        return shape;
    }

    private static Shape<RestoreAnswer> Restore()
    {
        var shape = new Shape<RestoreAnswer>("restore", () => new RestoreAnswer("", "", null));
        shape.Required("file", FilePath, r => r.File, (r, v) => r with { File = v }, "The backup.");
        shape.Optional("passphrase", Passphrase, r => r.Passphrase.Length == 0 ? null : r.Passphrase, (r, v) => r with { Passphrase = v }, "What it was encrypted with.");
        shape.Optional("identity", FilePath, r => r.Identity, (r, v) => r with { Identity = v }, "The file with the secret key of age it was encrypted to, in place of a passphrase.");
        shape.Check((restore, report) =>
        {
            if (restore.Passphrase.Length == 0 == restore.Identity is null)
                report("passphrase", "a backup is opened by a passphrase or by a key", null, "passphrase or identity, one of them");
        });
        return shape;
    }

    /// <summary>A text of several lines. What stands in it is read by whom it is for.</summary>
    private sealed class LinesKind(string name) : ValueKind<string>
    {
        public override string Expected => $"{name} as a block of text, behind '|'";

        public override string JsonType => "string";

        public override bool TryRead(TextNode node, string path, Reading reading, out string value)
        {
            value = "";
            if (!TryScalar(node, path, "a block of text", reading, out var scalar))
                return false;
            value = scalar.Text;
            return true;
        }

        public override JsonNode Write(string value) => value;
    }
}
