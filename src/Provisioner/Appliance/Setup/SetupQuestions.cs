using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Provisioner.Appliance.Machine;
using Provisioner.Networks;
using Provisioner.Protocols;
using Provisioner.Resources;

namespace Provisioner.Appliance.Setup;

/// <summary>Where a person is asked.</summary>
/// <param name="Output">What is said.</param>
/// <param name="ReadLine">What is typed; null when nobody is there any more.</param>
/// <param name="ReadSecret">What is typed without being shown, after that question.</param>
internal sealed record SetupTerminal(TextWriter Output, Func<string?> ReadLine, Func<string, string> ReadSecret);

/// <summary>The questions on the console. Each shows what an empty line means, says what is wrong with an answer, and asks again.</summary>
internal sealed class SetupQuestions(SetupTerminal terminal)
{
    /// <summary>Asks for everything.</summary>
    /// <param name="before">What an empty line means: the answers of last time.</param>
    /// <param name="links">The interfaces there are.</param>
    /// <param name="zoneExists">Whether this machine knows a time zone.</param>
    /// <returns>Null when they are not to be used, or nobody is there any more.</returns>
    public SetupAnswers? Ask(SetupAnswers before, ImmutableArray<WiredLink> links, Func<string, bool> zoneExists)
    {
        try
        {
            if (links.Length == 0)
                Say("This machine has no wired network card: servers cannot boot from it before it has one.");
            var answers = before with
            {
                HostName = One("Host name", Values.Name, before.HostName),
                TimeZone = One("Time zone", MachineFields.TimeZone, before.TimeZone, zone => zoneExists(zone) ? null : $"'{zone}' is not known here; such as Europe/Zurich, or UTC"),
                TimeServers = Many("Time servers, with blanks between", Values.HostAddress, before.TimeServers, "those of the network"),
                Provisioning = Interface(before.Provisioning, links),
            };
            answers = answers with { Restore = Backup() };
            Show(answers, links);
            return One("Use this? (yes or no)", YesOrNo, true) ? answers : null;
        }
        catch (EndOfStreamException)
        {
            return null;
        }
    }

    private static readonly ScalarKind<bool> YesOrNo = Values.OneOf("an answer", ("yes", true), ("no", false), ("y", true), ("n", false));

    private ProvisioningAnswers Interface(ProvisioningAnswers before, ImmutableArray<WiredLink> links)
    {
        Say("");
        foreach (var link in links)
            Say($"  {link.Name,-15} {link.MacAddress}  {link.HasCarrier switch { true => "connected", false => "no cable", null => "off" }}");
        var usual = links.FirstOrDefault(l => l.Name == before.Interface || l.MacAddress == before.MacAddress) ?? links.FirstOrDefault(l => l.HasCarrier == true) ?? links.FirstOrDefault();
        var asked = before with { MacAddress = null, Range = null, Gateway = null };
        if (usual is not null)
            asked = asked with { Interface = One("Interface that servers boot on", Values.InterfaceName, usual.Name, name => links.Any(l => l.Name == name) ? null : $"there is no wired interface '{name}'") };
        asked = asked with { Address = One("Address on it: dhcp, or such as 10.77.0.2/24", SetupFields.Address, before.Address) };
        var subnet = asked.Address?.Subnet;
        if (asked.Address is { } own)
        {
            asked = asked with
            {
                Gateway = Maybe("Gateway", Values.Ipv4Address, before.Gateway is { } kept && own.Subnet.IsHostAddress(kept) ? kept : null,
                    gateway => own.Subnet.IsHostAddress(gateway) && gateway != own.Address ? null : $"{gateway} is not another host's address in {own.Subnet}"),
            };
        }
        asked = asked with { NameServers = Many("Name servers, with blanks between", Values.Ipv4Address, before.NameServers, "none") };
        Say("DHCP for servers. off: not a word; proxy: another server gives the addresses; reserve: this one gives them.");
        asked = asked with
        {
            Dhcp = One("DHCP (off, proxy or reserve)", SetupFields.Dhcp, before.Dhcp, mode =>
                mode == DhcpMode.Reserve && subnet is null ? "reserve needs an address of its own on the interface, and not one from another DHCP server" : null),
        };
        if (asked.Dhcp == DhcpMode.Reserve && asked.Address is { } address)
        {
            asked = asked with
            {
                Range = One("Addresses to give, from-to", Values.Range, before.Range ?? UsualRange(address, asked.Gateway), range =>
                    !address.Subnet.IsHostAddress(range.From) || !address.Subnet.IsHostAddress(range.To) ? $"{range} is not inside {address.Subnet}"
                    : range.Contains(address.Address) ? $"this machine's own {address.Address} lies in it"
                    : asked.Gateway is { } gateway && range.Contains(gateway) ? $"the gateway {gateway} lies in it" : null),
            };
        }
        return asked;
    }

    /// <summary>The upper half of the subnet, without this machine and the router.</summary>
    internal static Ipv4Range UsualRange(InterfaceAddress own, Ipv4Address? gateway)
    {
        var (first, last) = (own.Subnet.Network.Bits + 1, own.Subnet.BroadcastAddress.Bits - 1);
        var from = first + (last - first + 1) / 2;
        foreach (var taken in new[] { own.Address.Bits, gateway?.Bits ?? 0 }.Order())
        {
            // The larger part beside it.
            if (taken >= from && taken <= last)
                (from, last) = taken - from > last - taken ? (from, taken - 1) : (taken + 1, last);
        }
        return new Ipv4Range(new Ipv4Address(Math.Min(from, last)), new Ipv4Address(last));
    }

    private RestoreAnswer? Backup()
    {
        Say("");
        var path = Maybe("Backup to go on from, its path; for a new site, none", SetupFields.FilePath, null, null);
        if (path is null)
            return null;
        var key = Maybe("File with its secret key; with a passphrase, none", SetupFields.FilePath, null, null);
        if (key is not null)
            return new RestoreAnswer(path, "", key);
        while (true)
        {
            var passphrase = terminal.ReadSecret("Passphrase of the backup");
            var reading = new Reading();
            if (SetupFields.Passphrase.TryRead(new TextNode.Scalar(passphrase, false, default), "", reading, out _))
                return new RestoreAnswer(path, passphrase, null);
            Say("  " + reading.Mistakes[0].WithoutPlace());
        }
    }

    private void Show(SetupAnswers answers, ImmutableArray<WiredLink> links)
    {
        var provisioning = answers.Provisioning;
        Say("");
        Say($"  name        {answers.HostName}");
        Say($"  time        {answers.TimeZone}, by {(answers.TimeServers.IsDefaultOrEmpty ? "the servers of the network" : string.Join(", ", answers.TimeServers))}");
        Say($"  interface   {(links.Length == 0 ? "none" : provisioning.Interface)}, {provisioning.Address?.ToString() ?? "its address by DHCP"}{(provisioning.Gateway is { } gateway ? $", by {gateway}" : "")}");
        Say($"  DHCP        {SetupFields.Dhcp.Write(provisioning.Dhcp)}{(provisioning.Range is { } range ? $", {range}" : "")}");
        Say($"  site        {(answers.Restore is { } restore ? $"goes on from {restore.File}" : "new, or as it is")}");
    }

    private T One<T>(string question, ScalarKind<T> kind, T usual, Func<T, string?>? wrongWith = null)
    {
        while (true)
        {
            var typed = Line($"{question} [{Word(kind, usual)}]");
            if (typed.Length == 0)
            {
                if (wrongWith?.Invoke(usual) is not { } wrong)
                    return usual;
                Say($"  {wrong}");
            }
            else if (TryRead(kind, typed, wrongWith, out var value))
            {
                return value;
            }
        }
    }

    private T? Maybe<T>(string question, ScalarKind<T> kind, T? usual, Func<T, string?>? wrongWith) where T : struct
    {
        while (true)
        {
            var typed = Line($"{question} [{(usual is { } value ? Word(kind, value) : "none")}]");
            if (typed.Length == 0)
                return usual;
            if (typed == "none")
                return null;
            if (TryRead(kind, typed, wrongWith, out var read))
                return read;
        }
    }

    private string? Maybe(string question, ScalarKind<string> kind, string? usual, Func<string, string?>? wrongWith)
    {
        while (true)
        {
            var typed = Line($"{question} [{usual ?? "none"}]");
            if (typed.Length == 0)
                return usual;
            if (typed == "none")
                return null;
            if (TryRead(kind, typed, wrongWith, out var read))
                return read;
        }
    }

    private ImmutableArray<T> Many<T>(string question, ScalarKind<T> kind, ImmutableArray<T> usual, string without)
    {
        while (true)
        {
            var typed = Line($"{question} [{(usual.IsDefaultOrEmpty ? without : string.Join(' ', usual.Select(u => Word(kind, u))))}]");
            if (typed.Length == 0)
                return usual;
            if (typed == "none")
                return [];
            var words = typed.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
            var read = ImmutableArray.CreateBuilder<T>();
            foreach (var word in words)
            {
                if (TryRead(kind, word, null, out var value))
                    read.Add(value);
            }
            if (read.Count == words.Length)
                return read.ToImmutable();
        }
    }

    private bool TryRead<T>(ScalarKind<T> kind, string typed, Func<T, string?>? wrongWith, out T value)
    {
        var reading = new Reading();
        if (!kind.TryRead(new TextNode.Scalar(typed, false, new TextPosition(1, 1)), "", reading, out value))
        {
            Say("  " + reading.Mistakes[0].WithoutPlace());
            return false;
        }
        if (wrongWith?.Invoke(value) is not { } wrong)
            return true;
        Say($"  {wrong}");
        return false;
    }

    /// <exception cref="EndOfStreamException">Nobody is there any more.</exception>
    private string Line(string question)
    {
        terminal.Output.Write($"{question}: ");
        terminal.Output.Flush();
        return (terminal.ReadLine() ?? throw new EndOfStreamException()).Trim();
    }

    private void Say(string line) => terminal.Output.WriteLine(line);

    private static string Word<T>(ScalarKind<T> kind, T value) => kind.Write(value) is JsonValue written && written.TryGetValue(out string? text) ? text : string.Create(CultureInfo.InvariantCulture, $"{kind.Write(value)}");
}
