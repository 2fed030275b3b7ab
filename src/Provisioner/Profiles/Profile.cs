using Provisioner.Boot;
using Provisioner.Installing;
using Provisioner.Joining;
using Provisioner.Resources;

namespace Provisioner.Profiles;

/// <summary>How a kind of host is built.</summary>
public sealed record Profile(Metadata Metadata, ProfileSpec Spec) : IResource
{
    public string Kind => "Profile";

    public string Name => Metadata.Name;
}

public sealed record ProfileSpec
{
    /// <summary>The image it installs.</summary>
    public required string Image { get; init; }

    /// <summary>The way from firmware to kernel.</summary>
    public BootChain BootChain { get; init; } = BootChain.Auto;

    public BootOptions? Boot { get; init; }

    /// <summary>The cluster its hosts join; null for hosts that join none.</summary>
    public string? Cluster { get; init; }

    /// <summary>What its hosts are as nodes of <see cref="Cluster"/>.</summary>
    public NodeOptions? Node { get; init; }

    /// <summary>How it is installed unattended; without it the image's own installer asks.</summary>
    public InstallOptions? Install { get; init; }
}
