//! Tables and sets, made through the interface.

use std::ptr;

use arbitrary::{Result, Unstructured};
use coalesce_core::NamePattern;
use coalesce_ffi::codes::{
    COALESCE_DUPLICATE_NAME, COALESCE_GROUP_CONFLICT, COALESCE_INVALID_NAME,
    COALESCE_INVALID_VALUE, COALESCE_OK, COALESCE_UNKNOWN_GROUP,
};
use coalesce_ffi::{
    Bytes, GroupPolicy, HandshakePolicy, Identifiers, Table, coalesce_identifiers_from_names,
    coalesce_table_builder_build, coalesce_table_builder_entry, coalesce_table_builder_group,
    coalesce_table_builder_group_for, coalesce_table_builder_new, coalesce_table_bytes,
    coalesce_table_from_bytes, coalesce_table_len,
};

use crate::generate;
use crate::interface::arguments::number;
use crate::model::{Coalesce, Connect, Extra, Observe, Policy, World};

fn group_policy(policy: Policy, observed: Option<Observe>) -> GroupPolicy {
    GroupPolicy {
        size: size_of::<GroupPolicy>(),
        coalesce: match policy.coalesce {
            Coalesce::CertificateAndGroup => 0,
            Coalesce::StrictServerName => 1,
            Coalesce::Never => 2,
        },
        unknown_authority: policy.unknown_to_application.into(),
        connect: match policy.connect {
            Connect::Refuse => 0,
            Connect::Extended => 1,
            Connect::Any => 2,
        },
        enforcement: observed.is_some().into(),
        client_certificates: match observed {
            None => 0,
            Some(Observe::AsksNothing) => 1,
            Some(Observe::AsksForCertificates) => 2,
        },
    }
}

/// Builds the table of a world, and reads it again from its bytes.
pub(super) fn table(world: &World, extra: &Extra) -> Box<Table> {
    let (mut builder, mut table, mut read) = (None, None, None);
    // SAFETY: every pointer comes from a reference.
    unsafe {
        assert_eq!(coalesce_table_builder_new(&mut builder), COALESCE_OK);
        for (group, policy) in &world.groups {
            let policy = group_policy(*policy, extra.observe(*group));
            let added = coalesce_table_builder_group(builder.as_deref_mut(), *group, &policy);
            assert_eq!(added, COALESCE_OK);
        }
        for entry in &world.entries {
            let pattern = Bytes::from(entry.pattern.as_bytes());
            let (id, group) = (entry.virtual_host, entry.group);
            let added = coalesce_table_builder_entry(builder.as_deref_mut(), pattern, id, group);
            assert_eq!(added, COALESCE_OK);
        }
        assert_eq!(coalesce_table_builder_build(builder.as_deref(), &mut table), COALESCE_OK);
        let compiled = coalesce_table_bytes(table.as_deref());
        assert_eq!(coalesce_table_from_bytes(compiled, &mut read), COALESCE_OK);
    }
    assert_eq!(coalesce_table_len(read.as_deref()), world.entries.len());
    read.expect("it was read")
}

/// Makes a set of names. A connection without names gets none.
pub(super) fn identifiers(names: &[String]) -> Option<Box<Identifiers>> {
    if names.is_empty() {
        return None;
    }
    let names: Vec<Bytes<'_>> = names.iter().map(|name| Bytes::from(name.as_bytes())).collect();
    let mut made = None;
    // SAFETY: every pointer comes from a reference.
    let result = unsafe { coalesce_identifiers_from_names(names.as_ptr(), names.len(), &mut made) };
    assert_eq!(result, COALESCE_OK);
    made
}

/// Adds groups and entries of any numbers and bytes. A fault leaves the builder usable, and what it
/// builds is a table.
pub(super) fn try_operations(u: &mut Unstructured<'_>) -> Result<()> {
    let (mut builder, mut table, mut entries) = (None, None, 0);
    // SAFETY: every pointer comes from a reference.
    unsafe { coalesce_table_builder_new(&mut builder) };
    for _ in 0..u.int_in_range(0..=6)? {
        let policy = GroupPolicy {
            size: size_of::<GroupPolicy>(),
            coalesce: u.int_in_range(0..=3)?,
            unknown_authority: u.int_in_range(0..=2)?,
            connect: 0,
            enforcement: u.int_in_range(0..=2)?,
            client_certificates: u.int_in_range(0..=4)?,
        };
        let builder = builder.as_deref_mut();
        match u.int_in_range(0..=3)? {
            0 => {
                let group = u.int_in_range(0..=4)?;
                // SAFETY: as above.
                let result = unsafe { coalesce_table_builder_group(builder, group, &policy) };
                let faults = [COALESCE_OK, COALESCE_INVALID_VALUE, COALESCE_GROUP_CONFLICT];
                assert!(faults.contains(&result));
            }
            1 => {
                let handshake = HandshakePolicy {
                    size: size_of::<HandshakePolicy>(),
                    client_certificates: u.int_in_range(0..=4)?,
                    tls_version_min: u32::from(number::<u16>(u)? & 0x0307),
                    client_ca: u.int_in_range(0..=1)?,
                    other: 0,
                };
                let policy = if u.arbitrary()? { ptr::from_ref(&policy) } else { ptr::null() };
                let mut group = 0;
                // SAFETY: as above.
                let result = unsafe {
                    coalesce_table_builder_group_for(builder, &handshake, policy, &mut group)
                };
                assert_eq!(result == COALESCE_OK, group > 0);
            }
            _ => {
                let pattern = generate::field(u)?;
                let (id, group) = (u.int_in_range(0..=1)?, u.int_in_range(0..=4)?);
                let bytes = Bytes::from(&pattern[..]);
                let result = coalesce_table_builder_entry(builder, bytes, id, group);
                let is_name = NamePattern::parse(&pattern).is_ok();
                assert_eq!(result != COALESCE_INVALID_NAME, is_name);
                let faults = [COALESCE_OK, COALESCE_DUPLICATE_NAME, COALESCE_UNKNOWN_GROUP];
                assert!(!is_name || faults.contains(&result));
                entries += usize::from(result == COALESCE_OK);
            }
        }
    }
    // SAFETY: as above.
    let result = unsafe { coalesce_table_builder_build(builder.as_deref(), &mut table) };
    assert_eq!(result, COALESCE_OK);
    // A repeated entry counts once.
    assert!(coalesce_table_len(table.as_deref()) <= entries);
    Ok(())
}

/// Copies bytes of the interface.
pub(super) fn text(bytes: Bytes<'_>) -> String {
    let bytes = bytes.as_slice().expect("the interface passes bytes");
    String::from_utf8(bytes.to_vec()).expect("it is text")
}
