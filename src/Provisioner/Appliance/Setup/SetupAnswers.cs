using System.Collections.Immutable;
using Provisioner.Networks;
using Provisioner.Protocols;

namespace Provisioner.Appliance.Setup;

/// <summary>What the set-up of an appliance's machine asks for. Everything has a default, so that an empty file of answers is one.</summary>
public sealed record SetupAnswers
{
    /// <summary>This machine's name.</summary>
    public string HostName { get; init; } = "provisioner";

    /// <summary>Its time zone.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>Whom it asks for the time; none for those the network tells.</summary>
    public ImmutableArray<string> TimeServers { get; init; } = [];

    /// <summary>Where servers boot from it.</summary>
    public ProvisioningAnswers Provisioning { get; init; } = new();

    /// <summary>The first admin; null for the link that makes one.</summary>
    public AdministratorAnswer? Administrator { get; init; }

    /// <summary>The backup that it goes on from; null for a new site.</summary>
    public RestoreAnswer? Restore { get; init; }

    /// <summary>Documents to apply, as <c>provisioner apply</c> takes them.</summary>
    public string? Resources { get; init; }

    /// <summary>More of the service's configuration, as it stands in <c>provisioner.yaml</c>.</summary>
    public string? Configuration { get; init; }

    /// <summary>The same without what is or may be secret in it, all of which is done once: what is kept, and offered when it is asked again.</summary>
    public SetupAnswers WithoutSecrets() => this with { Administrator = null, Restore = null, Resources = null };
}

/// <summary>The interface that servers boot on.</summary>
public sealed record ProvisioningAnswers
{
    /// <summary>Its name; null for the only wired one.</summary>
    public string? Interface { get; init; }

    /// <summary>Its MAC address, in place of its name.</summary>
    public MacAddress? MacAddress { get; init; }

    /// <summary>The appliance's address on it; null for one that is given by DHCP.</summary>
    public InterfaceAddress? Address { get; init; }

    public Ipv4Address? Gateway { get; init; }

    public ImmutableArray<Ipv4Address> NameServers { get; init; } = [];

    /// <summary>What the appliance says by DHCP there: nothing, unless it is asked for.</summary>
    public DhcpMode Dhcp { get; init; } = DhcpMode.Off;

    /// <summary>The addresses it gives.</summary>
    public Ipv4Range? Range { get; init; }
}

/// <summary>An address with the length of its subnet's prefix, such as <c>10.77.0.2/24</c>.</summary>
/// <param name="Address">The address.</param>
/// <param name="PrefixLength">8 to 30.</param>
public sealed record InterfaceAddress(Ipv4Address Address, int PrefixLength)
{
    /// <summary>The subnet it is in.</summary>
    public Ipv4Cidr Subnet => new(Address, PrefixLength);

    /// <inheritdoc/>
    public override string ToString() => $"{Address}/{PrefixLength}";
}

/// <summary>The first admin.</summary>
/// <param name="Name">To sign in with.</param>
/// <param name="Password">As well.</param>
public sealed record AdministratorAnswer(string Name, string Password)
{
    /// <summary>The name alone: this ends up in messages.</summary>
    public override string ToString() => Name;
}

/// <summary>A backup to go on from.</summary>
/// <param name="File">Its path.</param>
/// <param name="Passphrase">What it was encrypted with; empty where it is a key.</param>
/// <param name="Identity">The path of the key's file; null where it is a passphrase.</param>
public sealed record RestoreAnswer(string File, string Passphrase, string? Identity)
{
    /// <summary>The path alone: this ends up in messages.</summary>
    public override string ToString() => File;
}
