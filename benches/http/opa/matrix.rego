# The matrix of policies/matrix.cedar. `data.members` has each application's members and their roles.
package gatepost

default allow := false

allow if input.action in permitted[data.members[input.resource][input.principal]]

# Each in full: what is put together would be put together anew for each question.
permitted := {
	"observer": {"View"},
	"operator": {
		"View", "AddDevice", "RemoveDevice", "DeviceAction", "SetDeviceTag", "SetDeviceVariable", "SshAccess",
	},
	"developer": {
		"View", "AddDevice", "RemoveDevice", "DeviceAction", "SetDeviceTag", "SetDeviceVariable", "SshAccess",
		"Push", "Configure", "FleetAction", "SetFleetVariable", "SetFleetTag", "DownloadImage",
	},
	"administrator": {
		"View", "AddDevice", "RemoveDevice", "DeviceAction", "SetDeviceTag", "SetDeviceVariable", "SshAccess",
		"Push", "Configure", "FleetAction", "SetFleetVariable", "SetFleetTag", "DownloadImage",
		"AddMember", "ChangeMember", "RemoveMember", "DeleteApplication",
	},
}
