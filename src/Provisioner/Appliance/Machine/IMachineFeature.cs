namespace Provisioner.Appliance.Machine;

/// <summary>Something the system does for this service, over the bus. Where it cannot, it says so, and nothing else fails.</summary>
internal interface IMachineFeature
{
    MachineFeature Standing { get; }

    /// <summary>Begins to look, and returns at once.</summary>
    void Start();
}

/// <summary>How a feature stands.</summary>
/// <param name="Name">One word.</param>
/// <param name="Works">The system does it.</param>
/// <param name="Says">What it does now, or why it does not, and what to do about it.</param>
internal sealed record MachineFeature(string Name, bool Works, string Says);
