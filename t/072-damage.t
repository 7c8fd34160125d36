#!/usr/bin/perl
# A damaged store: what nginx answers, what scimctl verify finds, and that a store is suspended after three workers have died
# in it, while the other stores of the same nginx are served.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Test::More;
use Scim;

# The deaths of workers are counted by signals, which the address sanitizer would handle.
$ENV{ASAN_OPTIONS} = join ':', $ENV{ASAN_OPTIONS} // (), map "handle_$_=0", qw(segv sigbus abort);
my $t = Scim->new(http => <<'EOH', server => <<'EOS');
    scim_store a %%DIR%%/a size=64m;
    scim_store b %%DIR%%/b size=64m;
EOH
    location /a/ { scim a; }
    location /b/ { scim b; }
EOS
my ($page, $store) = (4096, "$t->{dir}/b");
my %token;
for (qw(a b)) {
    $t->{store} = "$t->{dir}/$_";
    $token{$_} = $t->seed('acme');
}
$t->start->served('/a/Users', token => $token{a})->served('/b/Users', token => $token{b});

sub users {
    my ($which, $filter) = @_;
    $filter =~ s/ /%20/g;
    $filter =~ s/"/%22/g;
    return $t->request(GET => "/$which/Users?filter=$filter", token => $token{$which});
}
sub create { return $t->request(POST => "/$_[0]/Users", token => $token{ $_[0] }, json => Scim::user($_[1], nickName => "nick-$_[1]")) }

my %id = map { ($_ => create('b', $_)->{json}{id}) } map "user$_", 10 .. 60;
ok $id{user60}, 'the users of store b are created';
is create('a', 'other')->{status}, 201, 'POST to store a is answered with 201';
for (qw(user50 user51)) {
    is $t->request(DELETE => "/b/Users/$id{$_}", token => $token{b})->{status}, 204,
        "DELETE of $_ is answered with 204 and leaves free pages";
}
my $group = $t->request(POST => '/b/Groups', token => $token{b},
    json => { displayName => 'team', members => [{ value => $id{user10} }] });
is $group->{status}, 201, 'POST of a group with a member is answered with 201';
$t->quit;
File::Copy::copy("$store/data.mdb", "$t->{dir}/whole") or die $!;

sub slurp { open my $f, '<:raw', $_[0] or die "$_[0]: $!"; local $/; return scalar <$f> }
sub bytes_of { return pack 'H*', $_[0] =~ tr/-//dr }

# Copies the store saved above back, changed by $edit->(\$bytes).
sub damage {
    my ($edit) = @_;
    my $bytes = slurp("$t->{dir}/whole");
    my $changes = $edit->(\$bytes);
    ok $changes, 'the damage has changed the copy';
    unlink "$store/lock.mdb", "$store/data.mdb";
    open my $f, '>:raw', "$store/data.mdb" or die $!;
    print $f $bytes;
    close $f or die $!;
}
sub verify_says {
    my ($pattern, $name) = @_;
    my ($exit, $out, $err) = $t->scimctl('verify');
    ok $exit == 1 && "$out$err" =~ $pattern, $name or diag "exit $exit\n$out$err";
}
# The offset of the newer meta page.
sub meta {
    my ($bytes) = @_;
    my ($newest) = sort { $b->[2] <=> $a->[2] } map [unpack("x$_ x16 x24 x48 x48 Q", $$bytes), $_, unpack("x$_ x144 Q", $$bytes)], 0, $page;
    return $newest->[1];
}
sub word { my ($bytes, $at) = @_; return unpack 'Q', substr $$bytes, $at, 8 }

# The leaf pages of the tree with this root (depth at most two); database() returns the root of a named database.
sub leaves {
    my ($bytes, $root) = @_;
    my $at = $root * $page;
    my ($flags, $lower) = unpack 'x10 S S', substr $$bytes, $at, 16;
    return $root if $flags & 2;
    return map {
        my ($low, $high, $top) = unpack 'S S S', substr $$bytes, $at + $_, 6;
        leaves($bytes, $low | $high << 16 | $top << 32);
    } unpack 'S*', substr $$bytes, $at + 16, $lower - 16;
}
sub database {
    my ($bytes, $name) = @_;
    for my $leaf (leaves($bytes, word($bytes, meta($bytes) + 40 + 48 + 40))) {
        my $at = index substr($$bytes, $leaf * $page, $page), $name;
        return word($bytes, $leaf * $page + $at + length($name) + 40) if $at >= 0;
    }
    die "no database $name";
}

# --- damage that ends no worker

damage(sub { ${ $_[0] } =~ s/nick-user20/nick-useR20/g });
verify_says(qr/resources: tenant 1 User $id{user20}: the record is damaged/, 'verify finds a changed byte in a record');
$t->start;
my $damaged = $t->request(GET => "/b/Users/$id{user20}", token => $token{b});
is $damaged->{status}, 503, 'GET of a damaged record is refused with 503';
is $damaged->{json}{errorId}, 'store-unreadable', 'the refusal is store-unreadable';
push @{ $t->{expect_log} }, qr/\[crit\].*is damaged where PUT of User $id{user20} looks/;
$damaged = $t->request(PUT => "/b/Users/$id{user20}", token => $token{b}, json => Scim::user('user20'));
is $damaged->{status}, 503, 'PUT to a damaged record is refused with 503';
is $damaged->{json}{errorId}, 'store-unwritable', 'the refusal is store-unwritable';
is $t->request(GET => "/b/Users/$id{user21}", token => $token{b})->{status}, 200,
    'GET of another record is answered with 200';
$t->quit;

damage(sub {
    my ($bytes) = @_;  # the last userName, so that the keys of its page stay in order
    my $tail = "\0" . bytes_of($id{user60});
    return $$bytes =~ s/user60\Q$tail\E/uset60$tail/g;
});
verify_says(qr/"user60" $id{user60}: the row is missing.*"uset60" $id{user60}: the resource does not have this value/s,
    'verify finds a changed byte in an index row');
$t->start;
is $t->request(GET => "/b/Users/$id{user60}", token => $token{b})->{status}, 200,
    'GET of a user with a damaged index row is answered with 200';
is users('b', 'userName eq "user60"')->{json}{totalResults}, 0, 'a filter does not find a user whose index row is damaged';
for ('userName eq "uset60"', 'userName sw "uset"', 'userName gt "uset"', 'userName eq "uset60" or userName eq "user40"') {
    my $r = users('b', $_);
    ok $r->{status} == 503 && $r->{json}{detail} =~ /damaged/,
        "a filter that meets a wrong index row is refused with 503: $_" or diag $r->{body};
}
is create('b', 'uset60')->{status}, 201, 'a wrong index row does not make its userName taken';
$t->quit;

damage(sub {
    my ($bytes) = @_;
    my ($user, $group) = map bytes_of($_), $id{user10}, $group->{json}{id};
    my $other = bytes_of($id{user11});
    return $$bytes =~ s/\Q$user$group\E/$other$group/g;
});
verify_says(qr/memberships: .*member $id{user11}: the row has no counterpart in members/,
    'verify finds a changed byte in a membership row');
$t->start;
my $groups = $t->request(GET => qq{/b/Groups?filter=members.value%20eq%20%22$id{user11}%22}, token => $token{b});
is $groups->{status}, 503, 'a members.value filter that meets a wrong membership row is refused with 503';
$t->quit;

damage(sub {
    my ($bytes) = @_;
    for my $leaf (leaves($bytes, word($bytes, meta($bytes) + 40 + 40))) {
        my ($node) = unpack 'x16 S', substr $$bytes, $leaf * $page, $page;
        my $at = $leaf * $page + $node + 16;    # node header and key
        next if !word($bytes, $at);
        substr $$bytes, $at, 16, pack 'QQ', 1, database($bytes, 'resources');
        return 1;
    }
    return 0;
});
verify_says(qr/page \d+: the list of free pages refers to it, but it is already in use/,
    'verify finds a page in use that is listed as free');

# --- damage that ends a worker: a value longer than the file

damage(sub {
    my ($bytes) = @_;
    for my $leaf (leaves($bytes, database($bytes, 'resources'))) {
        my ($lower) = unpack 'x12 S', substr $$bytes, $leaf * $page, 16;
        for my $node (unpack 'S*', substr $$bytes, $leaf * $page + 16, $lower - 16) {
            substr $$bytes, $leaf * $page + $node, 4, pack 'SS', 0xffff, 0x7fff;
        }
    }
    return 1;
});
verify_says(qr/page \d+: a node is longer than the page; it is in database "resources".*restore a backup/s,
    'verify finds a damaged tree page');
push @{ $t->{expect_log} }, qr/worker process \d+ exited on signal (?:7|11)/, qr/\[alert\].* is suspended: 3 worker processes/;
$t->start;
for my $death (1 .. 3) {
    my ($old) = $t->workers;
    is $t->request(GET => "/b/Users/$id{user40}", token => $token{b})->{status}, 0,
        "a damaged page ends worker $death and its client gets no answer";
    $t->wait_for(sub { my @now = $t->workers; @now == 1 && $now[0] != $old });
}
ok $t->wait_log(qr/\[alert\].*store "\Q$store\E" is suspended: 3 worker processes died inside it within 60 seconds.*store resume/),
    'the store is suspended after three workers died, and the error log says what to do';
$t->served('/a/Users', token => $token{a});
is users('a', 'userName eq "other"')->{json}{totalResults}, 1, 'another store is served while one is suspended';
is users('b', 'userName eq "user40"')->{status}, 503, 'a read of a suspended store is refused with 503';
$t->reload(gone => 1);
is users('b', 'userName eq "user40"')->{status}, 503, 'a read of a suspended store is refused with 503 after a reload';
is scalar(() = $t->log =~ /exited on signal/g), 3, 'no worker has died after the suspension';

# --- repaired

unlink "$store/lock.mdb";
File::Copy::copy("$t->{dir}/whole", "$store/data.mdb") or die $!;
is users('b', 'userName eq "user40"')->{status}, 503, 'a store whose file was overwritten in place stays suspended';
my ($exit, $out) = $t->scimctl('store', 'resume');
like "$exit $out", qr/^0 The suspension has ended/, 'scimctl store resume ends the suspension';
ok $t->wait_for(sub { users('b', 'userName eq "user40"')->{status} == 200 }),
    'the store is served after the suspension has ended';
like +($t->scimctl('store', 'resume'))[1], qr/is not suspended/,
    'a second store resume says that the store is not suspended';
$t->finish;
