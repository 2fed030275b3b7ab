using Provisioner.Boot;
using Provisioner.Installing;
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

    /// <summary>How it is installed unattended; without it the image's own installer asks.</summary>
    public InstallOptions? Install { get; init; }
}
