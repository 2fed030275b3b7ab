namespace Provisioner.Lab.Harness;

/// <summary>The lab's resources, as a person would write them.</summary>
internal static class SiteResources
{
    /// <summary>The appliance gives the addresses.</summary>
    public const string Reserve = """
          interface: br0
          dhcp: reserve
          range: 10.77.0.100-10.77.0.199
        """;

    /// <summary>Another server gives the addresses.</summary>
    public const string Proxy = """
          interface: br0
          dhcp: proxy
        """;

    /// <param name="spec">Lines of the spec besides the subnet, indented by two.</param>
    /// <param name="subnet">The lab's own when not given.</param>
    public static string Network(string spec, string subnet = LabNetwork.Subnet) => $"""
        ---
        apiVersion: provisioner/v1
        kind: Network
        metadata:
          name: lab
        spec:
          subnet: {subnet}
        {spec}

        """;

    /// <summary>That image, talking on the serial port.</summary>
    public static string Profile(Firmware firmware, string image, string name = "worker") => $"""
        ---
        apiVersion: provisioner/v1
        kind: Profile
        metadata:
          name: {name}
        spec:
          image: {image}
          bootChain: {(firmware == Firmware.SecureBoot ? "shim" : "auto")}
          boot:
            kernelArguments:
              - console={FirmwareFiles.Console(firmware)}

        """;

    /// <param name="name">Its name.</param>
    /// <param name="macAddress">Of its one network card.</param>
    /// <param name="architecture">As resources spell it.</param>
    /// <param name="extra">More lines of the spec, indented by two.</param>
    /// <param name="profile">What it is built by.</param>
    public static string Host(string name, string macAddress, string architecture, string extra = "", string? profile = "worker") => $"""
        ---
        apiVersion: provisioner/v1
        kind: Host
        metadata:
          name: {name}
        spec:
          macAddresses: ["{macAddress}"]
          architecture: {architecture}
        {(profile is null ? "" : $"  profile: {profile}")}
        {extra}

        """;
}
